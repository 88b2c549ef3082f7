// Package ratelimit bounds how often something happens.
package ratelimit

import "time"

// Bucket holds tokens: it fills at Rate tokens a second, up to Burst, and is full at first.
// One goroutine owns it.
type Bucket struct {
	Rate  float64 // tokens a second
	Burst float64 // the most that it holds

	level float64
	at    time.Time // of the last Take
}

// Take takes a token and reports whether there was one.
func (b *Bucket) Take(now time.Time) bool {
	if b.at.IsZero() {
		b.level = b.Burst
	} else {
		b.level = min(b.Burst, b.level+b.Rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// Last returns the time of the last Take; zero if there was none.
func (b *Bucket) Last() time.Time { return b.at }
