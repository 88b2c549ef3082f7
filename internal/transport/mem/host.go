package mem

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// firstPort is the first that is given to who asks for any.
const firstPort = 49152

// The numbers of a host's interfaces.
const (
	loIndex = iota + 1
	ethIndex
)

var loopback = netip.MustParseAddr("127.0.0.1")

// Host is what one node stands on: an interface eth0 with an address of its own on the
// LAN 10.0.0.0/8, and lo.
type Host struct {
	net        *Network
	number     int // counted from 1
	addr       netip.Addr
	interfaces []netif.Interface
	node       hostnet.Node // nil in tests
	kill       func()

	// guarded by net.mu
	inboxes  []*inbox // that are open
	nextPort uint16
	beacons  uint64        // datagrams sent
	frozen   chan struct{} // closed when the host goes on; nil if it runs
	dead     bool          // killed, and not started again
}

var _ hostnet.Host = (*Host)(nil)

// NewHost makes a host. Node and kill may be nil.
func (t *Network) NewHost(node hostnet.Node, kill func()) hostnet.Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := &Host{net: t, number: len(t.hosts) + 1, nextPort: firstPort, node: node, kill: kill}
	h.addr = netip.AddrFrom4([4]byte{10, byte(h.number >> 16), byte(h.number >> 8), byte(h.number)})
	h.interfaces = []netif.Interface{{
		Name: "lo", Index: loIndex, Flags: net.FlagUp | net.FlagRunning | net.FlagLoopback,
		Prefixes: []netip.Prefix{netip.PrefixFrom(loopback, 8)}, Metric: netif.NoRoute,
	}, {
		Name: "eth0", Index: ethIndex, Flags: net.FlagUp | net.FlagRunning | net.FlagBroadcast | net.FlagMulticast,
		Prefixes: []netip.Prefix{netip.PrefixFrom(h.addr, 8)}, Hardware: true,
	}}
	t.hosts = append(t.hosts, h)
	if node != nil {
		t.byNode[node] = h
	}
	return h
}

// Node returns the node of the host.
func (h *Host) Node() hostnet.Node { return h.node }

// NewUUID draws a UUID of version 4 from the seed: the same one each time.
func (h *Host) NewUUID() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], h.net.chance(uuidHigh, h.number, 0, 0))
	binary.BigEndian.PutUint64(id[8:], h.net.chance(uuidLow, h.number, 0, 0))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// Interfaces describes lo and eth0.
func (h *Host) Interfaces() ([]netif.Interface, error) { return h.interfaces, nil }

// LocalAddr returns the host's address on the LAN, or that of loopback.
func (h *Host) LocalAddr(remote netip.Addr) (netip.Addr, bool) {
	if remote.IsLoopback() {
		return loopback, true
	}
	return h.addr, true
}

// LookupHost finds the host of the node that has a name; localhost is loopback. It takes as
// long as a message: it must not matter which of two nodes that are made at one moment
// comes first.
func (h *Host) LookupHost(ctx context.Context, name string) ([]string, error) {
	h.net.mu.Lock()
	arrived, stop := after(h.net.latency)
	h.net.mu.Unlock()
	defer stop()
	select {
	case <-arrived:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if name == "localhost" {
		return []string{loopback.String()}, nil
	}
	for _, o := range h.net.Hosts() {
		if o.node != nil && strings.EqualFold(o.node.Name(), strings.TrimSuffix(name, ".")) {
			return []string{o.addr.String()}, nil
		}
	}
	return nil, &net.DNSError{Err: "no such node", Name: name, IsNotFound: true}
}

// Close does nothing: a host outlives its node, which may start again.
func (h *Host) Close() error { return nil }

// Listen makes an inbox, bound to nothing yet. A host that was killed lives again.
func (h *Host) Listen(opts transport.ListenOptions) (transport.Inbox, error) {
	in := h.newInbox(opts)
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.dead = false
	return in, nil
}

func (h *Host) newInbox(opts transport.ListenOptions) *inbox {
	in := &inbox{host: h, opts: opts, arrivals: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.inboxes = append(h.inboxes, in)
	return in
}

// Dial makes a mailbox. It takes over from an older one with the same identity.
func (h *Host) Dial(endpoint string, opts transport.DialOptions) (transport.Mailbox, error) {
	if err := transport.CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	opts.Identity = bytes.Clone(opts.Identity)
	m := &mailbox{host: h, endpoint: endpoint, opts: opts}
	h.dial(m)
	return m, nil
}

func (h *Host) dial(m *mailbox) {
	t := h.net
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialled++
	m.number = t.dialled
	m.startDialing(time.Now())
}

// Freeze stops the host, as SIGSTOP stops a process: its node sends nothing, reads nothing
// and looks at no timer until Thaw.
func (h *Host) Freeze() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.frozen == nil {
		h.frozen = make(chan struct{})
	}
}

// Thaw lets a frozen host go on.
func (h *Host) Thaw() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.frozen != nil {
		close(h.frozen)
		h.frozen = nil
	}
}

// Kill ends the node without a goodbye, and returns when it has ended.
func (h *Host) Kill() {
	h.net.mu.Lock()
	h.dead = true
	h.net.mu.Unlock()
	h.Thaw()
	if h.kill != nil {
		h.kill()
	}
}

// hasConn reports whether somebody is connected to the host by a connection. The caller
// holds net.mu.
func (h *Host) hasConn(c transport.Conn) bool {
	return slices.ContainsFunc(h.inboxes, func(in *inbox) bool {
		return slices.ContainsFunc(in.boxes, func(m *mailbox) bool { return m.conn == c })
	})
}

// Waits returns how often the node has gone to sleep since it was started.
func (h *Host) Waits() (n int64) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	for _, in := range h.inboxes {
		n += in.waits
	}
	return n
}

// pass returns at once, or when the host is not frozen any more.
func (h *Host) pass() {
	for {
		h.net.mu.Lock()
		frozen := h.frozen
		h.net.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

// bindKeys resolves an endpoint to bind: bound is what Bind returns, and keys are the
// endpoints at which mailboxes find it. Those behind the first may be taken. The caller
// holds net.mu.
func (h *Host) bindKeys(endpoint string) (bound string, keys []string, err error) {
	rest, isTCP := strings.CutPrefix(endpoint, "tcp://")
	if !isTCP {
		return endpoint, []string{endpoint}, nil
	}
	name, port, err := net.SplitHostPort(rest)
	if err != nil {
		return "", nil, err
	}
	var addrs []netip.Addr
	addr, err := netip.ParseAddr(name)
	switch {
	case name == "*" || err == nil && addr.IsUnspecified():
		name, addrs = "0.0.0.0", []netip.Addr{h.addr, loopback}
	case name == "eth0" || err == nil && addr == h.addr:
		name, addrs = h.addr.String(), []netip.Addr{h.addr}
	case name == "lo" || err == nil && addr == loopback:
		name, addrs = loopback.String(), []netip.Addr{loopback}
	default:
		return "", nil, fmt.Errorf("cannot assign requested address: the host has %s and %s", h.addr, loopback)
	}
	if port == "*" || port == "0" {
		port = h.freePort(addrs)
	}
	for _, a := range addrs {
		keys = append(keys, "tcp://"+net.JoinHostPort(a.String(), port))
	}
	return "tcp://" + net.JoinHostPort(name, port), keys, nil
}

// freePort finds a port that nobody is bound to at any of some addresses.
func (h *Host) freePort(addrs []netip.Addr) (port string) {
	for range 1 << 16 {
		port = fmt.Sprint(h.nextPort)
		if h.nextPort++; h.nextPort < firstPort { // after 65535
			h.nextPort = firstPort
		}
		if !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return h.net.bound["tcp://"+a.String()+":"+port] != nil }) {
			break
		}
	}
	return port
}
