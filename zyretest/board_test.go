package zyretest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// board shows what each node of a team is doing.
type board struct {
	node *zyre.Zyre

	mu     sync.Mutex
	status string
	others map[string]string // by UUID
}

// newBoard makes a board on a node that has not been started.
func newBoard(node *zyre.Zyre) *board {
	node.Join("board")
	return &board{node: node, others: map[string]string{}}
}

// Start joins the team, and follows it until the node stops.
func (b *board) Start() error {
	if err := b.node.Start(); err != nil {
		return err
	}
	events := b.node.Events()
	go func() {
		for event := range events {
			b.handle(event)
		}
	}()
	return nil
}

func (b *board) handle(event *zyre.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event.Type {
	case zyre.EventJoin: // the newcomer does not know yet
		b.node.Whispers(event.PeerUUID, "%s", b.status)
	case zyre.EventWhisper, zyre.EventShout:
		b.others[event.PeerUUID] = event.PeerName + ": " + string(event.Msg)
	case zyre.EventExit:
		delete(b.others, event.PeerUUID)
	}
}

// Set changes what this node is doing.
func (b *board) Set(status string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
	b.node.Shouts("board", "%s", status)
}

// String shows what the others are doing.
func (b *board) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Values(b.others)), ", ")
}

// startBoards starts a board for each name.
func startBoards(t *testing.T, network *zyretest.Network, names ...string) []*board {
	t.Helper()
	var boards []*board
	for _, name := range names {
		b := newBoard(network.NewNode(name))
		b.Set("idle")
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		boards = append(boards, b)
	}
	return boards
}

func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		boards := startBoards(t, network, "ann", "bob", "eve")
		time.Sleep(time.Second)
		boards[1].Set("painting")
		time.Sleep(time.Second)
		for i, want := range []string{
			"bob: painting, eve: idle", "ann: idle, eve: idle", "ann: idle, bob: painting",
		} {
			if got := boards[i].String(); got != want {
				t.Errorf("board %d shows %q, want %q", i, got, want)
			}
		}
	})
}

func TestBoard_crash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		boards := startBoards(t, network, "ann", "bob", "eve")
		time.Sleep(time.Second)
		network.Kill(boards[2].node)
		time.Sleep(32 * time.Second) // the expired timeout, and a little more
		if got, want := boards[0].String(), "bob: idle"; got != want {
			t.Errorf("after a crash the board shows %q, want %q", got, want)
		}
	})
}

func TestBoard_partition(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t, zyretest.Seed(seed))
				network.SetLoss(0.5) // a bad network, too
				boards := startBoards(t, network, "ann", "bob", "eve")
				time.Sleep(10 * time.Second)
				network.Partition(boards[0].node)
				boards[0].Set("digging") // nobody hears it now
				time.Sleep(time.Minute)
				network.Heal()
				time.Sleep(20 * time.Second)
				if got, want := boards[1].String(), "ann: digging, eve: idle"; got != want {
					t.Errorf("after a partition the board shows %q, want %q", got, want)
				}
			})
		})
	}
}
