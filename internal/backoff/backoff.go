// Package backoff says how long to wait before something that failed is tried again:
// twice as long after each failure, up to a limit.
package backoff

import "time"

// Backoff is a delay that doubles. The zero value waits for no time at all: set Min and
// Max first. Both may be changed at any time; the next call of Next goes by them.
// It is not safe for use by several goroutines at once.
type Backoff struct {
	Min time.Duration // the first delay after Reset
	Max time.Duration // the longest delay; if it is less than Min, every delay is Min

	current time.Duration
}

// Next returns the delay before the next attempt: Min at first, then each time twice
// the delay before, up to Max.
func (b *Backoff) Next() time.Duration {
	longest := max(b.Min, b.Max)
	if b.current > longest/2 { // doubling it could overflow
		b.current = longest
	} else {
		b.current = max(2*b.current, b.Min)
	}
	return b.current
}

// Current returns the delay that Next returned last, 0 if Next was not called since
// Reset.
func (b *Backoff) Current() time.Duration { return b.current }

// Reset is to be called after a success: the next delay is Min again.
func (b *Backoff) Reset() { b.current = 0 }
