package monitor

import "time"

// How often peers are asked for their view, and pinged: each every 3 s, or all together 20
// times a second.
const (
	minAskInterval = 3 * time.Second
	askEvery       = 50 * time.Millisecond
)

// pace spreads what is done for each peer over the time, so that it does not come in bursts.
type pace struct{ last time.Time }

// NextToAsk returns the peer whose view is to be asked for next, if any is due, and notes
// that it is asked now. All that tell their view are asked at the returned interval.
func (m *Model) NextToAsk(now time.Time) (uuid string, interval time.Duration, ok bool) {
	return m.nextDue(now, &m.asking, (*node).isSharing, func(p *node) *time.Time { return &p.askedAt })
}

// NextToPing returns the peer that is to be pinged next, if any is due, and notes that it is
// pinged now. All are pinged at the returned interval.
func (m *Model) NextToPing(now time.Time) (uuid string, interval time.Duration, ok bool) {
	return m.nextDue(now, &m.pinging, func(*node) bool { return true }, func(p *node) *time.Time { return &p.pingedAt })
}

func (m *Model) nextDue(now time.Time, pace *pace, wanted func(*node) bool, at func(*node) *time.Time) (uuid string, interval time.Duration, ok bool) {
	var next *node
	count := 0
	for _, p := range m.peers {
		if !wanted(p) {
			continue
		}
		count++
		if next == nil || at(p).Before(*at(next)) {
			next = p
		}
	}
	interval = max(minAskInterval, time.Duration(count)*askEvery)
	if next == nil || now.Sub(*at(next)) < interval || now.Sub(pace.last) < interval/time.Duration(count+1) {
		return "", interval, false
	}
	*at(next), pace.last = now, now
	return next.info.UUID, interval, true
}
