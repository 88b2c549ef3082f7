package zyre

import "time"

const (
	readAhead = 1 << 20               // bytes of events that wait for the application when the node stops reading
	readPause = 20 * time.Millisecond // and the longest that it does not read for that
)

// pace gives the application a moment whenever the node has got ahead of it. Without it there
// is more garbage than the collector, which wants a processor too, can follow, and events
// have left the processor's caches when their turn comes.
//
// A moment is short: a slow application must not keep a peer waiting for the answer to a PING
// that lies behind much else.
type pace struct {
	limit   int       // bytes of events up to which the node reads
	waiting bool      // it does not read
	since   time.Time // since when
}

// update takes note of how many bytes of events wait.
func (p *pace) update(now time.Time, held int) {
	switch {
	case p.waiting && held <= readAhead/4, !p.waiting && held <= readAhead:
		*p = pace{limit: readAhead}
	case p.waiting && now.Sub(p.since) >= readPause:
		*p = pace{limit: held + readAhead}
	case !p.waiting && held > p.limit:
		p.waiting, p.since = true, now
	}
}
