package zyre

import "time"

// stall shows an application that has stopped taking its events. Two that send to each
// other from the loops that read their events would wait for each other for ever.
type stall struct {
	taken uint64    // events that had been taken when it was looked at last
	since time.Time // when that last changed, or the application was not behind
}

// observe reports whether an application that is behind has taken no event for as long as
// patience.
func (s *stall) observe(now time.Time, behind bool, taken uint64, patience time.Duration) bool {
	if !behind || taken != s.taken {
		*s = stall{taken, now}
	}
	return now.Sub(s.since) >= patience
}
