package zyretest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// startNodes starts some nodes that are in the group hall.
func startNodes(t *testing.T, network *zyretest.Network, count int) []*zyre.Zyre {
	t.Helper()
	var nodes []*zyre.Zyre
	for i := range count {
		node := network.NewNode(fmt.Sprint("node", i))
		node.Join("hall")
		nodes = append(nodes, node)
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return nodes
}

// waitMesh waits until each of some nodes knows all others.
func waitMesh(t *testing.T, nodes []*zyre.Zyre) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, node := range nodes {
		if err := node.WaitPeers(ctx, "hall", len(nodes)-1); err != nil {
			t.Fatal(node.Name(), err)
		}
	}
}

func TestNetwork_tenNodes(t *testing.T) {
	ways := map[string]func(t *testing.T, test func(t *testing.T)){
		"bubble": synctest.Test,
		"clock":  func(t *testing.T, test func(t *testing.T)) { test(t) },
	}
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				start := time.Now()
				nodes := startNodes(t, zyretest.NewNetwork(t), 10)
				waitMesh(t, nodes)
				t.Log("met in", time.Since(start))
			})
		})
	}
}

func TestNetwork_silence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := startNodes(t, network, 2)
		waitMesh(t, nodes)
		network.Kill(nodes[1])
		bubble.Sleep(time.Minute)
		var got []string
		for len(nodes[0].Events()) > 0 {
			e := <-nodes[0].Events()
			got = append(got, e.Type+e.Reason)
		}
		t.Log(got)
	})
}
