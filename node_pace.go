package zyre

import (
	"math"
	"time"
)

const (
	readAhead = 1 << 20              // bytes of events that wait for the application when the node stops reading
	readPause = 5 * time.Millisecond // and the longest that it does not read for that
)

// pace gives an application that takes its events a moment whenever the node has got ahead of
// it. Without it there is more garbage than the collector, which wants a processor too, can
// follow, and events have left the processor's caches when their turn comes.
//
// A moment is short, for a slow application must not keep a peer waiting for the answer to a
// PING that lies behind much else. One that takes nothing has no use for it.
type pace struct {
	limit   int       // bytes of events up to which the node reads
	waiting bool      // it does not read
	since   time.Time // since when
	taken   uint64    // events that the application had taken then
}

// unpaced is the limit while the application takes nothing.
const unpaced = math.MaxInt

// update takes note of how many bytes of events wait, and how many events have been taken.
func (p *pace) update(now time.Time, held int, taken uint64) {
	switch {
	case p.waiting && held <= readAhead/4, !p.waiting && held <= readAhead:
		*p = pace{limit: readAhead}
	case p.waiting && now.Sub(p.since) >= readPause:
		p.waiting, p.limit = false, held+readAhead
		if taken == p.taken {
			p.limit = unpaced
		}
	case p.limit == unpaced && taken != p.taken:
		p.limit = held + readAhead
	case !p.waiting && held > p.limit:
		p.waiting, p.since, p.taken = true, now, taken
	}
}
