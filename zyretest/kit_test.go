package zyretest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// What the tests of this package share. All of them but a few run in a bubble.

// log is what the application of one node sees.
type log struct {
	start time.Time
	mu    sync.Mutex
	lines []string
	came  sync.Cond                // that there is another line
	at    map[string]time.Duration // when a line came first
	ended chan struct{}            // closed with the Events channel
}

// follow reads the events of a node until it stops.
func follow(node *zyre.Zyre) *log {
	l := &log{start: time.Now(), at: map[string]time.Duration{}, ended: make(chan struct{})}
	l.came.L = &l.mu
	events := node.Events()
	go func() {
		defer close(l.ended)
		for e := range events {
			line := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", e.Type, e.PeerName, e.Group, e.Reason, e.Msg)), " ")
			l.mu.Lock()
			l.lines = append(l.lines, line)
			if _, seen := l.at[line]; !seen {
				l.at[line] = time.Since(l.start)
			}
			l.came.Broadcast()
			l.mu.Unlock()
		}
	}()
	return l
}

// wait waits until so many lines of a kind have come since the last take.
func (l *log) wait(kind string, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for strings.Count(strings.Join(l.lines, "\n"), kind+" ") < count {
		l.came.Wait()
	}
}

// take returns what has come since the last take, with commas between.
func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.lines, ", ")
	l.lines = nil
	return s
}

// expect fails the test unless something has come since the last take, and nothing else.
func (l *log) expect(t *testing.T, want string) {
	t.Helper()
	if got := l.take(); got != want {
		t.Errorf("events = %q, want %q", got, want)
	}
}

// when returns when a line came first.
func (l *log) when(line string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[line]
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}

// start starts nodes, and follows each.
func start(t *testing.T, nodes ...*zyre.Zyre) (logs []*log) {
	t.Helper()
	for _, node := range nodes {
		must(t, "Start", node.Start())
		logs = append(logs, follow(node))
	}
	return logs
}

// pair runs a test in a bubble, with two nodes, a and b, that have met.
func pair(t *testing.T, test func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		a, b := network.NewNode("a"), network.NewNode("b")
		logs := start(t, a, b)
		bubble.Sleep(1500 * time.Millisecond)
		logs[0].expect(t, "ENTER b")
		logs[1].expect(t, "ENTER a")
		test(t, network, a, b, logs[0], logs[1])
	})
}

// waitFor waits until a node has some peers in a group.
func waitFor(t *testing.T, node *zyre.Zyre, group string, peers int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, "WaitPeers", node.WaitPeers(ctx, group, peers))
}

// crowd makes nodes that join a group.
func crowd(network *zyretest.Network, count int, group string) []*zyre.Zyre {
	var nodes []*zyre.Zyre
	for i := range count {
		node := network.NewNode(fmt.Sprint("node", i))
		node.Join(group)
		nodes = append(nodes, node)
	}
	return nodes
}
