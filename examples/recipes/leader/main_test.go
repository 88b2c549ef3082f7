package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// working is who works at present.
type working struct {
	mu    sync.Mutex
	names []string
}

func (w *working) job(name string) func(ctx context.Context) {
	return func(ctx context.Context) {
		w.mu.Lock()
		w.names = append(w.names, name)
		w.mu.Unlock()
		<-ctx.Done()
		w.mu.Lock()
		w.names = slices.DeleteFunc(w.names, func(n string) bool { return n == name })
		w.mu.Unlock()
	}
}

func (w *working) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.names)
}

// A node that leads ends its job when another one takes over: one with a smaller UUID.
func TestLead_another(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		var w working
		for i, name := range []string{"alice", "bob"} {
			node := network.NewNode(name).SetUUID(strings.Repeat(string("FE"[i]), 32)).SetContestInGroup("backup")
			node.Join("backup")
			if err := node.Start(); err != nil {
				t.Fatal(err)
			}
			go lead(node, "backup", w.job(name))
			pass(40 * time.Second)
			if now := w.list(); !slices.Equal(now, []string{name}) {
				t.Errorf("%q work, want %s", now, name)
			}
		}
	})
}

// One node works, whatever becomes of the others, and in the end none.
func TestLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		var w working
		var running sync.WaitGroup
		nodes := map[string]*zyre.Zyre{}
		for _, name := range []string{"alice", "bob", "carol"} {
			node := network.NewNode(name).SetContestInGroup("backup")
			node.Join("backup")
			if err := node.Start(); err != nil {
				t.Fatal(err)
			}
			nodes[name] = node
			running.Go(func() { lead(node, "backup", w.job(name)) })
		}
		for len(nodes) > 0 {
			pass(40 * time.Second)
			now := w.list()
			if len(now) != 1 || nodes[now[0]] == nil {
				t.Fatalf("%q work, want one of the %d nodes that are left", now, len(nodes))
			}
			if len(nodes)%2 == 0 {
				network.Kill(nodes[now[0]])
			} else {
				nodes[now[0]].Stop()
			}
			delete(nodes, now[0])
		}
		running.Wait()
		if now := w.list(); len(now) != 0 {
			t.Errorf("%q still work", now)
		}
	})
}

// pass lets time pass in the bubble, and all that is due by then be done.
func pass(d time.Duration) {
	synctest.Wait() // panics outside a bubble, where time is real
	time.Sleep(d)   //nolint:forbidigo // it takes no time
	synctest.Wait()
}
