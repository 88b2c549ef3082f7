// State shows the state of every node of a group on all of them. Each node owns its own
// part: it greets who joins with all of it, and shouts what changes. Start it in two
// terminals, and type lines such as "light=on":
//
//	go run ./examples/recipes/state -name alice -iface lo
//	go run ./examples/recipes/state -name bob -iface lo
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	s := newShared(zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface), "state")
	if err := s.node.Start(); err != nil {
		log.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), "=")
			s.set(key, value)
		}
	}()
	for event := range s.node.Events() {
		s.handle(event)
		fmt.Printf("%q of all: %q\n", event.Type, s.all())
	}
}

// shared is the state of all nodes of a group, as this node knows it.
type shared struct {
	node  *zyre.Zyre
	group string

	mu    sync.Mutex
	own   map[string]string
	peers map[string]map[string]string // by UUID
}

// newShared has a node share its state. It is called before Start.
func newShared(node *zyre.Zyre, group string) *shared {
	node.Join(group)
	return &shared{node: node, group: group, own: map[string]string{}, peers: map[string]map[string]string{}}
}

// set changes this node's part, and tells all.
func (s *shared) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock() // until it was told: changes go out in the order in which they were made
	s.own[key] = value
	s.node.ShoutFrames(s.group, []byte("set"), []byte(key), []byte(value))
}

// handle takes the events of the node, all of them.
func (s *shared) handle(e *zyre.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case zyre.EventJoin:
		if e.Group == s.group {
			s.peers[e.PeerUUID] = map[string]string{}
			s.greet(e.PeerUUID)
		}
	case zyre.EventWhisper, zyre.EventShout:
		if state := s.peers[e.PeerUUID]; state != nil && len(e.Frames) == 3 && string(e.Frames[0]) == "set" {
			state[string(e.Frames[1])] = string(e.Frames[2])
		}
	case zyre.EventExit:
		// If messages were lost it enters again, joins, and tells all of its state again.
		delete(s.peers, e.PeerUUID)
	case zyre.EventLeave:
		if e.Group == s.group {
			delete(s.peers, e.PeerUUID)
		}
	}
}

// greet tells a newcomer this node's part. What changes later goes to the group, of which
// the newcomer is a member, and comes to it after this, since messages from one node stay
// in order.
//
// A change between the peer's JOIN and this may reach it twice, which does no harm.
func (s *shared) greet(peer string) {
	for key, value := range s.own {
		s.node.WhisperFrames(peer, []byte("set"), []byte(key), []byte(value))
	}
}

// all returns a copy of the state of all nodes, by UUID.
func (s *shared) all() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[string]string{s.node.UUID(): maps.Clone(s.own)}
	for peer, state := range s.peers {
		all[peer] = maps.Clone(state)
	}
	return all
}
