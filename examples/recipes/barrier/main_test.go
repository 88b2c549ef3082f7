package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// All begin when the last one is there, and each hears all others.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 5
		network := zyretest.NewNetwork(t)
		start := time.Now()
		var all sync.WaitGroup
		for i := range nodes {
			if i > 0 {
				synctest.Wait()         // panics outside a bubble, where time is real
				time.Sleep(time.Second) //nolint:forbidigo // it takes no time
			}
			all.Go(func() {
				node := network.NewNode(fmt.Sprint(i))
				if err := begin(t.Context(), node, "job", nodes, time.Minute); err != nil {
					t.Error(err)
					return
				}
				if took := time.Since(start); took < (nodes-1)*time.Second || took > nodes*time.Second {
					t.Errorf("node %d begins after %v, want the time at which the last one is there", i, took)
				}
				node.Shouts("job", "from %d", i)
				for heard := 0; heard < nodes-1; {
					if e := <-node.Events(); e.Type == zyre.EventShout {
						heard++
					}
				}
			})
		}
		all.Wait()
	})
}

// If one stays away the others say how many were there, and stop.
func TestBegin_somebodyIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		var both sync.WaitGroup
		for _, name := range []string{"alice", "bob"} {
			both.Go(func() {
				node := network.NewNode(name)
				err := begin(t.Context(), node, "job", 3, time.Minute)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "1 of 2") {
					t.Errorf("begin() = %v, want that 1 of 2 was there", err)
				}
				if node.Endpoint() != "" {
					t.Error("the node still runs")
				}
			})
		}
		both.Wait()
	})
}
