package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

const (
	// maxAnswered is how many bytes may come on a connection that this process has made, and
	// answeredRate how many more for each second that it lasts: ZRE sends nothing there, ZMTP
	// its handshake and heartbeats. What came earlier is never forgotten, or who sends slowly
	// could send without end.
	maxAnswered  = 16 << 10
	answeredRate = 64

	// The connections are looked at once in sightInterval at most, and for no more than one
	// part in sightShare of the time; but once in sightLatest if a look takes very long.
	sightInterval = pressedInterval / 2
	sightShare    = 100
	sightLatest   = time.Second
)

// connections are those of this process, looked at once for all of its nodes.
type connections struct {
	mu       sync.Mutex
	bound    map[uint16]int         // inboxes, by their port
	dialed   map[netip.AddrPort]int // mailboxes, by where they connect to
	latest   *sight
	looking  bool                 // somebody does
	seen     []tcpinfo.Reading    // all that were seen at the latest look, by who looks
	nextAt   time.Time            // when the next look may be
	answered map[uint64]*answered // those that may be of mailboxes, by their ID
	cut      atomic.Uint64        // how many of these were ended, until a guard counts them
}

// sight is what was seen at one look. It is not changed afterwards.
type sight struct {
	// memory is what the process had when it was asked first: C goes through all that it has freed, and
	// all nodes of the process ask.
	memory func() memory

	at      time.Time
	begun   time.Time                            // the same, by the clock
	isKnown bool                                 // the system tells
	in      map[uint16][]tcpinfo.Reading         // by port: those at one where an inbox is or was
	out     map[netip.AddrPort][]tcpinfo.Reading // by where they lead: those to where mailboxes connect
}

// answered is a connection of a mailbox, on which little may come.
type answered struct {
	seen      *sight // the last in which it was
	firstSeen time.Time
}

// allowance is how many bytes may have come on it by then.
func (a *answered) allowance(now time.Time) uint64 {
	return maxAnswered + uint64(answeredRate*max(0, now.Sub(a.firstSeen).Seconds()))
}

// look returns what there is, now or a moment ago. Nobody waits while another looks.
func (l *connections) look(now time.Time) *sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest == nil {
		l.latest = &sight{}
	}
	if l.looking || now.Before(l.nextAt) {
		return l.latest
	}
	l.looking = true
	l.mu.Unlock()
	begun := time.Now()
	all := tcpinfo.All(l.seen)
	if all != nil {
		l.seen = all
	}
	took := time.Since(begun)
	l.mu.Lock()
	l.looking, l.nextAt = false, now.Add(min(max(sightInterval, sightShare*took), sightLatest))
	l.latest = l.sort(now, all)
	l.latest.begun = begun
	return l.latest
}

// sort tells apart what the connections are for.
func (l *connections) sort(now time.Time, all []tcpinfo.Reading) *sight {
	s := &sight{memory: sync.OnceValue(memoryNow), at: now, isKnown: all != nil, in: make(map[uint16][]tcpinfo.Reading, len(l.bound)),
		out: make(map[netip.AddrPort][]tcpinfo.Reading, len(l.dialed))}
	for _, c := range all {
		if port := c.Local().Port(); l.bound[port] > 0 {
			s.in[port] = append(s.in[port], c)
		}
		if to := plain(c.Remote()); l.dialed[to] > 0 {
			s.out[to] = append(s.out[to], c)
			l.limitAnswers(s, c)
		}
	}
	for id, a := range l.answered {
		if a.seen != s && s.isKnown {
			delete(l.answered, id)
		}
	}
	return s
}

// limitAnswers ends the connection of a mailbox if much comes back on it. Others of the process
// lead to the same address if somebody names it as a peer's: it ends none of these.
func (l *connections) limitAnswers(s *sight, c tcpinfo.Reading) {
	a := l.answered[c.ID()]
	if a == nil {
		a = &answered{firstSeen: s.at}
		if l.answered == nil {
			l.answered = map[uint64]*answered{}
		}
		l.answered[c.ID()] = a
	}
	a.seen = s
	if c.Received > a.allowance(s.at) && c.Reset(mailboxKeepalive()) {
		l.cut.Add(1)
	}
}

// to returns what the connections to an address have moved, all together, how many there
// are, and when that was so: now or a moment ago. If it cannot be told, or the last look was
// before the first of them was made, there are -1.
func (l *connections) to(remote netip.AddrPort, made, now time.Time) (sum tcpinfo.Count, connected int, at time.Time) {
	s := l.look(now)
	switch {
	case !s.isKnown:
		return sum, -1, now
	case s.begun.Before(made):
		return sum, -1, s.at
	}
	found := s.out[plain(remote)]
	for _, c := range found {
		sum.Received += c.Received
		sum.Acked += c.Acked
		sum.Waiting = sum.Waiting || c.Waiting
	}
	return sum, len(found), s.at
}

// addBound counts more, or with -1 fewer, inboxes at an address.
func (l *connections) addBound(at netip.AddrPort, more int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count(&l.bound, at.Port(), more)
}

// addDialed counts more, or with -1 fewer, mailboxes that connect to an endpoint.
func (l *connections) addDialed(endpoint string, more int) {
	at, err := ParseEndpoint(endpoint)
	if err != nil || !at.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	count(&l.dialed, plain(at), more)
}

func count[K comparable](of *map[K]int, key K, more int) {
	if *of == nil {
		*of = map[K]int{}
	}
	if (*of)[key] += more; (*of)[key] == 0 {
		delete(*of, key)
	}
}

// plain makes addresses of the same host and port equal.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
