package doctor

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What became of a connection.
const (
	tcpOpen        = "open"
	tcpRefused     = "refused"     // the host answers that nobody listens, or a firewall says so
	tcpSilent      = "no answer"   // a firewall drops it, or there is no such host
	tcpUnreachable = "unreachable" // there is no way to that address
	notZeroMQ      = "not ZeroMQ"  // something else answers, or nothing
)

// probe is what is known of a TCP port.
type probe struct {
	state     string
	mechanism string // what ZeroMQ at the port wants: NULL, CURVE, PLAIN, GSSAPI
}

// maxProbes is how many connections are tried at a time.
const maxProbes = 64

// prober connects to ports, each once. Any number of goroutines may use it.
type prober struct {
	running sync.WaitGroup
	slots   chan struct{}

	mu      sync.Mutex
	results map[netip.AddrPort]*probe // nil while it is under way
}

func newProber() *prober {
	return &prober{slots: make(chan struct{}, maxProbes), results: map[netip.AddrPort]*probe{}}
}

// start tries a port, unless that was done.
func (p *prober) start(at netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.results[at]; known || len(p.results) >= maxSightings {
		return
	}
	p.results[at] = nil
	p.running.Go(func() { // ends within connectTime once it has a slot
		p.slots <- struct{}{}
		result := probeTCP(at)
		<-p.slots
		p.mu.Lock()
		defer p.mu.Unlock()
		p.results[at] = &result
	})
}

func (p *prober) wait() { p.running.Wait() }

// result returns what is known of a port.
func (p *prober) result(at netip.AddrPort) (probe, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.results[at]; r != nil {
		return *r, true
	}
	return probe{}, false
}

// greeting is how ZMTP 3 begins: a signature, and the version. The other side then sends
// its whole greeting of 64 bytes: the same, the mechanism in 20 bytes, whether it is the
// server, and a filler. With another mechanism in ours it would end the connection first.
var greeting = []byte{0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3}

// probeTCP connects to a port and reads the greeting of ZeroMQ. It says no more, so that
// whoever listens forgets the connection.
func probeTCP(at netip.AddrPort) probe {
	conn, err := net.DialTimeout("tcp", at.String(), connectTime)
	if err != nil {
		return probe{state: explainDial(err)}
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(connectTime)); err != nil {
		return probe{state: notZeroMQ}
	}
	if _, err := conn.Write(greeting); err != nil {
		return probe{state: notZeroMQ}
	}
	answer := make([]byte, 64)
	n, err := io.ReadFull(conn, answer)
	if n >= 10 && answer[0] == 0xff && answer[9]&1 == 1 && err == nil {
		return probe{tcpOpen, strings.TrimRight(string(answer[12:32]), "\x00")}
	}
	return probe{state: notZeroMQ}
}

func explainDial(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return tcpRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EPERM):
		return tcpUnreachable
	case errors.As(err, &timeout) && timeout.Timeout():
		return tcpSilent
	}
	return tcpUnreachable
}
