package mem

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/netif"
)

// udpBuffer is how many datagrams wait in a socket; those beyond are lost.
const udpBuffer = 256

// udpConn is a socket for beacons.
type udpConn struct {
	host     *Host
	port     int
	arrivals chan struct{}
	quit     chan struct{} // closed by Close

	// guarded by net.mu
	joined map[netif.Link]bool
	queue  []datagram // in order of arrival: one that comes later may be due before others
	closed bool
}

// datagram is one under way.
type datagram struct {
	from    *Host
	number  uint64 // among those of the host
	port    int
	sent    time.Time
	due     time.Time // when it arrives
	src     netip.Addr
	ifindex int
	data    []byte
}

// ListenUDP opens a socket on a port. Any number of sockets may have the same.
func (h *Host) ListenUDP(port int) (hostnet.UDPConn, error) {
	c := &udpConn{
		host: h, port: port, joined: map[netif.Link]bool{},
		arrivals: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.udp = append(h.net.udp, c)
	for _, d := range h.net.flying {
		c.take(d)
	}
	return c, nil
}

func (c *udpConn) Close() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.host.net.udp = slices.DeleteFunc(c.host.net.udp, func(o *udpConn) bool { return o == c })
	close(c.quit)
	return nil
}

func (c *udpConn) Join(l netif.Link) error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	c.joined[l] = true
	return nil
}

func (c *udpConn) Leave(l netif.Link) {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	delete(c.joined, l)
}

// Send takes a datagram to all sockets with the same port on the LAN or, for lo, on
// loopback, the sender's own included.
func (c *udpConn) Send(l netif.Link, data []byte) error {
	c.host.pass()
	t := c.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case c.closed:
		return net.ErrClosed
	case !c.joined[l]:
		return fmt.Errorf("zyre: send a beacon on %s: not joined", l.Name)
	case c.host.dead:
		return nil
	}
	c.host.beacons++
	d := datagram{
		from: c.host, number: c.host.beacons, port: c.port, sent: time.Now(),
		src: l.Addr, ifindex: l.Index, data: bytes.Clone(data),
	}
	longest := t.latency + t.latency/8
	t.flying = slices.DeleteFunc(t.flying, func(o datagram) bool { return d.sent.Sub(o.sent) > longest })
	t.flying = append(t.flying, d)
	for _, to := range t.udp {
		to.take(d)
	}
	return nil
}

// take has a datagram arrive at c, unless it gets lost or would have arrived already. The
// caller holds net.mu. A socket that is opened while the datagram is under way takes it
// too: it must not matter which of two nodes that start at one moment comes first.
func (c *udpConn) take(d datagram) {
	t := c.host.net
	if d.port != c.port || t.isCut(d.from, c.host) {
		return
	}
	const scale = 1 << 53
	chance := t.chance(datagramLoss, d.from.number, c.host.number, d.number) % scale
	if d.from != c.host && float64(chance) < t.loss*scale || len(c.queue) >= udpBuffer {
		return
	}
	d.due = d.sent.Add(t.delay(t.chance(datagramTime, d.from.number, c.host.number, d.number)))
	if d.due.Before(time.Now()) {
		return
	}
	c.queue = append(c.queue, d)
	slices.SortStableFunc(c.queue, func(a, b datagram) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.from.number, b.from.number))
	})
	signal(c.arrivals)
}

// Receive waits for the first datagram to arrive.
func (c *udpConn) Receive(buff []byte) (n int, src netip.Addr, ifindex int, err error) {
	for {
		c.host.pass()
		d, wait, err := c.next()
		switch {
		case err != nil:
			return 0, netip.Addr{}, 0, err
		case d != nil:
			return copy(buff, d.data), d.src, d.ifindex, nil
		}
		c.wait(wait)
	}
}

// next takes the first datagram if it has arrived, or tells how long it takes; negative
// means that there is none.
func (c *udpConn) next() (d *datagram, wait time.Duration, err error) {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if c.closed {
		return nil, 0, net.ErrClosed
	}
	if len(c.queue) == 0 {
		return nil, -1, nil
	}
	if wait = time.Until(c.queue[0].due); wait > 0 {
		return nil, wait, nil
	}
	first := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	return &first, 0, nil
}

// wait waits for a datagram to come or, if the time is not negative, to arrive.
func (c *udpConn) wait(d time.Duration) {
	var expired <-chan time.Time
	if d >= 0 {
		over, stop := after(d)
		defer stop()
		expired = over
	}
	select {
	case <-c.arrivals:
	case <-c.quit:
	case <-expired:
	}
}
