// Package tcpinfo tells whether the bytes of a TCP connection move. A program on top of
// libzmq sees nothing of a message before all of it has arrived; the kernel does.
//
// It asks the kernel about descriptors of this process that belong to somebody else, who
// may close them at any time, and may open others under the same numbers. So each answer
// counts only if the addresses of the connection are still the same. Only Reset changes
// anything.
package tcpinfo

import (
	"net/netip"
	"sync"
	"time"
)

// All descriptors of the process are looked at once in scanInterval at most, and for no
// more than one part in scanShare of the time. It takes about 4 µs for each.
const (
	scanInterval = time.Second
	scanShare    = 100
)

// All nodes of a process ask about the same addresses, and each answer is the sum of all
// their connections. So an answer counts for answerTime; beyond that, answers take no more
// than one part in lookShare of the time, and lookBurst at once. On a machine so busy that
// everybody seems silent, looking must not be what keeps it busy.
const (
	answerTime = 100 * time.Millisecond
	lookShare  = 50
	lookBurst  = 5 * time.Millisecond
)

// A Conn is a TCP connection of this process. The zero value is one that is not known.
type Conn struct {
	fd            int
	local, remote netip.AddrPort
}

// Remote returns the address at the other end; an invalid one if that is not known.
func (c Conn) Remote() netip.AddrPort { return c.remote }

// Count is how many bytes a connection has moved since it was made.
type Count struct {
	Received uint64
	Acked    uint64 // sent, and confirmed by the other host
	Waiting  bool   // there is more to send than can be under way at once
}

// Count returns what the connection has moved, and whether it still exists.
func (c Conn) Count() (count Count, exists bool) {
	if c == (Conn{}) {
		return Count{}, false
	}
	found, count := read(c.fd)
	if found != c {
		return Count{}, false
	}
	return count, true
}

// Local returns the address of this process's end; it is invalid if the connection is not
// known.
func (c Conn) Local() netip.AddrPort { return c.local }

// Received is a connection of this process, and how many bytes have come on it.
type Received struct {
	Conn
	Bytes uint64
}

// All lists the connections of this process. It takes about 4 µs for each.
func All() []Received { return all() }

// Reset ends a connection at once, and reports whether it still was there. Whoever the
// descriptor belongs to finds the connection ended, and closes it.
func (c Conn) Reset() bool { return c != (Conn{}) && reset(c) }

// A Finder finds the connections that this process has to an address. The zero value is
// ready to use, by any number of goroutines.
type Finder struct {
	mu      sync.Mutex
	found   map[netip.AddrPort][]int  // descriptors, by remote address
	nextAt  time.Time                 // when all descriptors may be looked at again
	answers map[netip.AddrPort]answer // of those found

	looked   time.Duration // time taken by answers, less what was allowed since
	lookedAt time.Time     // when looked was brought up to date
}

type answer struct {
	sum       Count
	connected int
	at        time.Time
}

// To returns what the connections to an address have moved, all together, and how many
// there are, now or a while ago; -1 if that cannot be told.
func (f *Finder) To(remote netip.AddrPort, now time.Time) (sum Count, connected int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	remote = plain(remote)
	a, isKnown := f.answers[remote]
	switch {
	case isKnown && now.Sub(a.at) < answerTime:
		return a.sum, a.connected
	case !f.mayLook(now):
		if !isKnown {
			a.connected = -1
		}
		return a.sum, a.connected
	}
	defer f.countLook(time.Now())
	sum, connected = f.total(remote)
	if (connected == 0 || connected < len(f.found[remote])) && !now.Before(f.nextAt) {
		begun := time.Now()
		f.found = connections()
		f.nextAt = now.Add(max(scanInterval, scanShare*time.Since(begun)))
		f.answers = nil
		sum, connected = f.total(remote)
	}
	if f.answers == nil {
		f.answers = make(map[netip.AddrPort]answer, len(f.found))
	}
	if len(f.found[remote]) > 0 {
		f.answers[remote] = answer{sum, connected, now}
	}
	if f.found == nil {
		connected = -1
	}
	return sum, connected
}

// mayLook reports whether there is time for another answer.
func (f *Finder) mayLook(now time.Time) bool {
	f.looked = max(0, f.looked-now.Sub(f.lookedAt)/lookShare)
	f.lookedAt = now
	return f.looked < lookBurst
}

// countLook counts the time taken by an answer.
func (f *Finder) countLook(begun time.Time) { f.looked += time.Since(begun) }

// total adds up what those connections have moved that were found and still exist, and
// counts them.
func (f *Finder) total(remote netip.AddrPort) (sum Count, connected int) {
	for _, fd := range f.found[remote] {
		at, count := readRemote(fd)
		if at != remote {
			continue
		}
		connected++
		sum.Received += count.Received
		sum.Acked += count.Acked
		sum.Waiting = sum.Waiting || count.Waiting
	}
	return sum, connected
}

// plain makes addresses of the same host and port equal.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
