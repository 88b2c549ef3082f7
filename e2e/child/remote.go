//go:build unix

package child

import (
	"fmt"
	"sync"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A Node is a node in a child. Its Log has the events of all its runs.
type Node struct {
	*watch.Log
	Process *Process // where it is
	Config  Config   // as it was made
	UUID    string   // 32 upper-case hexadecimal digits
	Started Started  // set by Start; empty if all nodes were started at once

	sentMu sync.Mutex
	sent   int
}

// Start starts the node.
func (n *Node) Start() {
	n.Process.t.Helper()
	n.Process.Do("start", n.Name, nil, &n.Started)
}

// Stop stops the node; when it returns all of its events are in the Log.
func (n *Node) Stop() { n.Process.t.Helper(); n.Process.Do("stop", n.Name, nil, nil) }

// Read lets a node that is Unread read its events.
func (n *Node) Read() { n.Process.t.Helper(); n.Process.Do("read", n.Name, nil, nil) }

// Join joins a group.
func (n *Node) Join(group string) {
	n.Process.t.Helper()
	n.Process.Do("join", n.Name, arguments{Group: group}, nil)
}

// Leave leaves a group.
func (n *Node) Leave(group string) {
	n.Process.t.Helper()
	n.Process.Do("leave", n.Name, arguments{Group: group}, nil)
}

// Shout sends a message to a group.
func (n *Node) Shout(group, format string, args ...any) {
	n.Process.t.Helper()
	n.Process.Do("shout", n.Name, arguments{Group: group, Text: fmt.Sprintf(format, args...)}, nil)
}

// Whisper sends a message to a peer, given by name or UUID.
func (n *Node) Whisper(peer, format string, args ...any) {
	n.Process.t.Helper()
	n.Process.Do("whisper", n.Name, arguments{Peer: peer, Text: fmt.Sprintf(format, args...)}, nil)
}

// Number shouts numbered messages, so many a second, in the background.
func (n *Node) Number(group string, count, rate int) {
	n.Process.t.Helper()
	n.Process.Do("number", n.Name, arguments{Group: group, Count: count, Rate: rate}, nil)
}

// NumberLarge shouts numbered messages of a size in bytes, as fast as they are taken, in
// the background.
func (n *Node) NumberLarge(group string, count, size int) {
	n.Process.t.Helper()
	n.Process.Do("number", n.Name, arguments{Group: group, Count: count, Rate: 1000, Size: size}, nil)
}

// Sent returns how many numbered messages the node has got rid of, once it has no more.
func (n *Node) Sent() int {
	n.sentMu.Lock()
	defer n.sentMu.Unlock()
	return n.sent
}

func (n *Node) noteSent(sent int) {
	n.sentMu.Lock()
	defer n.sentMu.Unlock()
	n.sent = sent
}

// Stats returns the node's counters.
func (n *Node) Stats() (s zyre.Stats) {
	n.Process.t.Helper()
	n.Process.Do("stats", n.Name, nil, &s)
	return s
}

// Dump returns what the node's Dump writes.
func (n *Node) Dump() (text string) {
	n.Process.t.Helper()
	n.Process.Do("dump", n.Name, nil, &text)
	return text
}

// Tally tells how many numbered messages the node has got from a peer, given by name.
func (n *Node) Tally(peer string) Tally {
	n.Process.t.Helper()
	tallies := map[string]Tally{}
	n.Process.Do("tallies", n.Name, nil, &tallies)
	return tallies[peer]
}

// Poke calls all methods of the node.
func (n *Node) Poke() (s Slowest) {
	n.Process.t.Helper()
	n.Process.Do("poke", n.Name, nil, &s)
	return s
}

// String is what the node and its process said.
func (n *Node) String() string {
	return fmt.Sprintf("--- %s\n%s\n%s", n.Name, n.Log.Presence(), n.Process.Output())
}

// A Beacon is a zyre.Beacon in a child.
type Beacon struct {
	Process *Process // where it is
	Name    string   // in its process
	Address string   // that it used at first

	mu    sync.Mutex
	heard []*zyre.Signal
}

// Beacon makes a Beacon that sends a datagram, and hears those that begin with "ZRE".
func (p *Process) Beacon(name string, cfg BeaconConfig) *Beacon {
	p.t.Helper()
	b := &Beacon{Process: p, Name: name}
	p.mu.Lock()
	p.heard[name] = b
	p.mu.Unlock()
	p.Do("beacon", name, cfg, &b.Address)
	return b
}

// Publish has the Beacon send another datagram.
func (b *Beacon) Publish(datagram string) {
	b.Process.t.Helper()
	b.Process.Do("publish", b.Name, arguments{Datagram: []byte(datagram)}, nil)
}

func (b *Beacon) add(s *zyre.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, s)
}

// Count tells how often the Beacon has heard a datagram from an address; "" is any.
func (b *Beacon) Count(datagram, from string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.heard {
		if string(s.Transmit) == datagram && (from == "" || s.Addr == from) {
			n++
		}
	}
	return n
}

// Wait waits until the Beacon has heard a datagram from an address, after this call.
func (b *Beacon) Wait(t testing.TB, datagram, from string) {
	t.Helper()
	before := b.Count(datagram, from)
	watch.Until(t, fmt.Sprintf("%s hears %q from %s", b.Name, datagram, from), func() bool {
		return b.Count(datagram, from) > before
	})
}
