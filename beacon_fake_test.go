package zyre

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
)

// fakeNet stands in for the host: its interfaces, and connections that note
// what is sent and hand out what a test puts in.
type fakeNet struct {
	mu      sync.Mutex
	host    []netif.Interface
	hostErr error
	openErr error
	sendErr map[string]error // by interface name
	open    map[string]*fakeConn
	opened  int
	sends   []fakeSend
}

type fakeSend struct {
	at   time.Time
	on   string
	data string
	err  error
}

func newFakeNet(host ...netif.Interface) *fakeNet {
	return &fakeNet{host: host, sendErr: map[string]error{}, open: map[string]*fakeConn{}}
}

func (f *fakeNet) interfaces() ([]netif.Interface, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.host), f.hostErr
}

func (f *fakeNet) listen(network string, _ int) (beaconConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.openErr != nil {
		return nil, f.openErr
	}
	c := &fakeConn{net: f, in: make(chan fakeDatagram), closed: make(chan struct{}), joined: map[netif.Link]bool{}}
	f.open[network] = c
	f.opened++
	return c, nil
}

// set changes the host under the lock.
func (f *fakeNet) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeNet) conn(network string) *fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[network]
}

// take gives what was sent since the last take.
func (f *fakeNet) take() []fakeSend {
	f.mu.Lock()
	defer f.mu.Unlock()
	sends := f.sends
	f.sends = nil
	return sends
}

type fakeConn struct {
	net    *fakeNet
	in     chan fakeDatagram
	closed chan struct{}
	joined map[netif.Link]bool
}

type fakeDatagram struct {
	data    string
	src     string
	ifindex int
	err     error
}

func (c *fakeConn) Close() error { close(c.closed); return nil }

func (c *fakeConn) join(l netif.Link) error {
	c.net.set(func() { c.joined[l] = true })
	return nil
}

func (c *fakeConn) leave(l netif.Link) {
	c.net.set(func() { delete(c.joined, l) })
}

func (c *fakeConn) send(l netif.Link, datagram []byte) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	err := c.net.sendErr[l.Name]
	if !c.joined[l] {
		err = fmt.Errorf("not joined: %v", l)
	}
	c.net.sends = append(c.net.sends, fakeSend{time.Now(), l.Name, string(datagram), err})
	return err
}

func (c *fakeConn) receive(buff []byte) (int, netip.Addr, int, error) {
	select {
	case d := <-c.in:
		if d.err != nil {
			return 0, netip.Addr{}, 0, d.err
		}
		src, _ := netip.ParseAddr(d.src)
		return copy(buff, d.data), src, d.ifindex, nil
	case <-c.closed:
		return 0, netip.Addr{}, 0, net.ErrClosed
	}
}

// put hands a datagram to the reader, and returns when it was dealt with.
func (c *fakeConn) put(data, src string, ifindex int) {
	c.in <- fakeDatagram{data: data, src: src, ifindex: ifindex}
	synctest.Wait()
}

// command gives a command that must succeed.
func beaconCmd(t *testing.T, b *Beacon, id string, payload any) any {
	t.Helper()
	reply := b.SetBeaconCmd(&Cmd{ID: id, Payload: payload})
	if reply.Err != nil || reply.ID != id {
		t.Fatalf("SetBeaconCmd(%s, %v) = %+v, want no error", id, payload, reply)
	}
	return reply.Payload
}

// fakeBeacon runs a test in a bubble, with a Beacon on a fake network.
func fakeBeacon(t *testing.T, f *fakeNet, config beaconConfig, test func(t *testing.T, b *Beacon)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config.listen = f.listen
		if config.interfaces == nil {
			config.interfaces = f.interfaces
		}
		b := newBeacon(config)
		defer b.Close()
		test(t, b)
	})
}
