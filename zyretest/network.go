package zyretest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

const (
	defaultSeed    = 1
	defaultLatency = 100 * time.Microsecond
)

// Network is a network in memory. Any number of goroutines may call its methods. Those
// that take nodes report a node that is not of this network as an error of the test, and
// do nothing. In a bubble those that change the network first let the nodes do what is due
// at the moment, as synctest.Wait does.
type Network struct {
	tb  testing.TB // nil if there is none
	mem *mem.Network
}

// Option changes how NewNetwork makes a network.
type Option func(*options)

type options struct{ seed uint64 }

// Seed sets from what all follows that happens by chance. The default is 1.
func Seed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// NewNetwork makes a network without nodes. When the test ends, the network is closed, in a
// bubble of testing/synctest while that still runs. With a nil tb, for examples and
// benchmarks of their own kind, the caller calls [Network.Close].
func NewNetwork(tb testing.TB, opts ...Option) *Network {
	o := options{seed: defaultSeed}
	for _, opt := range opts {
		opt(&o)
	}
	n := &Network{tb: tb, mem: mem.New(o.seed)}
	n.mem.SetLatency(defaultLatency)
	if tb != nil {
		tb.Cleanup(n.Close)
	}
	return n
}

// NewNode makes a node with a name on the network. It is not started yet: it can be
// configured and used as one made by zyre.NewZyre.
func (n *Network) NewNode(name string) *zyre.Zyre {
	return n.NewZyre(context.Background()).SetName(name)
}

// NewZyre makes a node on the network as [zyre.NewZyre] does: ctx ends it. An application
// that is given a function to make its nodes with can be given this one.
func (n *Network) NewZyre(ctx context.Context) *zyre.Zyre { return zyre.NewZyre(n.Context(ctx)) }

// Context returns a context that puts nodes on the network: each one that zyre.NewZyre makes
// with it, or with a context derived from it. So an application that makes its nodes by
// itself can be tested without a change.
func (n *Network) Context(ctx context.Context) context.Context { return hostnet.With(ctx, n.mem) }

// Nodes returns all nodes, in the order in which they were made.
func (n *Network) Nodes() []*zyre.Zyre {
	var nodes []*zyre.Zyre
	for _, h := range n.mem.Hosts() {
		if node, ok := h.Node().(*zyre.Zyre); ok {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// SetLatency sets how long each message and beacon that is sent from now on takes, up to an
// eighth more. Messages from one node to another stay in order, beacons may overtake each
// other. The default is 100 µs. With 0 messages arrive at once; then the order in which
// those of several nodes arrive is not the same in each run.
func (n *Network) SetLatency(d time.Duration) {
	bubble.Settle()
	n.mem.SetLatency(d)
}

// SetLoss sets the share of beacons that get lost from now on: 0, the default, is none and
// 1 is all. Other messages are not lost: see [Network.Break]. Each receiver loses others.
func (n *Network) SetLoss(share float64) {
	bubble.Settle()
	n.mem.SetLoss(share)
}

// Partition separates some nodes from all others, those made later included, until
// [Network.Heal]. Beacons get lost. Messages are held up, and arrive after Heal. If it
// takes longer than the expired timeout, or begins while nodes meet, what was held up may be
// lost, which shows as EXIT and ENTER. Further calls separate further nodes.
func (n *Network) Partition(nodes ...*zyre.Zyre) {
	var hosts []*mem.Host
	for _, node := range nodes {
		if h := n.host("Partition", node); h != nil {
			hosts = append(hosts, h)
		}
	}
	bubble.Settle()
	n.mem.Partition(hosts...)
}

// Cut separates two nodes from each other, and from no others, until [Network.Heal].
func (n *Network) Cut(a, b *zyre.Zyre) {
	n.pair("Cut", a, b, n.mem.Cut)
}

// Heal ends all that [Network.Partition] and [Network.Cut] have done.
func (n *Network) Heal() {
	bubble.Settle()
	n.mem.Heal()
}

// Break breaks the connections between two nodes, as a router that restarts does. Messages
// that are on their way, or held up, are lost: the receiver sees that when the next
// one arrives, and reports EXIT and ENTER. The nodes connect again after 100 ms.
func (n *Network) Break(a, b *zyre.Zyre) {
	n.pair("Break", a, b, n.mem.Break)
}

// Kill ends a node as if its process had died: nobody is told, and what it had not read is
// lost. When Kill returns the node has stopped, and its Events channel is closed behind a
// STOP event. Start starts it again, as a process that was restarted.
func (n *Network) Kill(node *zyre.Zyre) {
	if h := n.host("Kill", node); h != nil {
		bubble.Settle()
		h.Kill()
	}
}

// Freeze stops a node, as SIGSTOP stops a process or a laptop sleeps: it sends nothing,
// reads nothing, and no timer of it expires, until [Network.Thaw]. What is sent to it
// waits. The goroutines of the application go on, but wait in methods that ask the node
// for something: Peers, for example, and Stop.
func (n *Network) Freeze(node *zyre.Zyre) {
	if h := n.host("Freeze", node); h != nil {
		bubble.Settle()
		h.Freeze()
	}
}

// Thaw lets a frozen node go on.
func (n *Network) Thaw(node *zyre.Zyre) {
	if h := n.host("Thaw", node); h != nil {
		bubble.Settle()
		h.Thaw()
	}
}

// Close ends all nodes that still run, as Kill does, and returns when they have ended. It
// may be called again.
func (n *Network) Close() {
	var ending sync.WaitGroup
	for _, h := range n.mem.Hosts() {
		ending.Go(h.Kill)
	}
	ending.Wait()
}

func (n *Network) pair(op string, a, b *zyre.Zyre, do func(a, b *mem.Host)) {
	if ha, hb := n.host(op, a), n.host(op, b); ha != nil && hb != nil {
		bubble.Settle()
		do(ha, hb)
	}
}

// host returns the host of a node, or nil after an error of the test.
func (n *Network) host(op string, node *zyre.Zyre) *mem.Host {
	h := n.mem.Host(node)
	if h == nil && n.tb != nil {
		n.tb.Helper()
		n.tb.Errorf("zyretest: %s: a node that is not of this network", op)
	}
	return h
}
