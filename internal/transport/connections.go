package transport

import (
	"net/netip"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

const (
	// maxAnswered is how many bytes may come within answeredTime on a connection that this
	// process has made: ZRE sends nothing there.
	maxAnswered  = 256 << 10
	answeredTime = 10 * time.Second

	// The connections are looked at once in sightInterval at most, and for no more than one
	// part in sightShare of the time.
	sightInterval = guardPressed / 2
	sightShare    = 50
)

// connections are those of this process, looked at once for all of its nodes.
type connections struct {
	mu       sync.Mutex
	bound    map[uint16]int         // inboxes, by their port
	dialed   map[netip.AddrPort]int // mailboxes, by where they connect to
	latest   *sight
	nextAt   time.Time          // when the next look may be
	answered map[Conn]*answered // those of mailboxes
}

// sight is what was seen at one look. It is never changed.
type sight struct {
	at time.Time
	to map[uint16][]tcpinfo.Received // made to a port of an inbox
}

// answered is how much has come on the connection of a mailbox.
type answered struct {
	seen   *sight // the last in which it was
	base   uint64 // bytes that had come at baseAt
	baseAt time.Time
}

// look returns what there is, now or a moment ago. If it had to look, it has ended the
// connections to peers' inboxes on which much came back, and says how many.
func (l *connections) look(now time.Time) (s *sight, cut uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.nextAt) {
		return l.latest, 0
	}
	begun := time.Now()
	defer func() { l.nextAt = time.Now().Add(max(sightInterval, sightShare*time.Since(begun))) }()
	s = &sight{at: now, to: make(map[uint16][]tcpinfo.Received, len(l.bound))}
	for _, c := range tcpinfo.All() {
		if port := c.Local().Port(); l.bound[port] > 0 {
			s.to[port] = append(s.to[port], c)
		} else if l.dialed[plain(c.Remote())] > 0 && l.limitAnswers(s, c) {
			cut++
		}
	}
	for c, a := range l.answered {
		if a.seen != s {
			delete(l.answered, c)
		}
	}
	l.latest = s
	return s, cut
}

// limitAnswers ends the connection of a mailbox if much comes back on it, and reports
// whether it did.
func (l *connections) limitAnswers(s *sight, c tcpinfo.Received) (ended bool) {
	a := l.answered[c.Conn]
	if a == nil {
		a = &answered{baseAt: s.at}
		if l.answered == nil {
			l.answered = map[Conn]*answered{}
		}
		l.answered[c.Conn] = a
	}
	a.seen = s
	ended = c.Bytes > a.base+maxAnswered && c.Reset()
	if s.at.Sub(a.baseAt) >= answeredTime {
		a.baseAt, a.base = s.at, c.Bytes
	}
	return ended
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
