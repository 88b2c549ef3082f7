package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// A node whose certificate is deleted exits within the interval of watch, and cannot come
// back; the others stay. One that is added enters.
func TestFleet(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"alice", "bob", "carol"} {
		if err := makeCert(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	kept := readFile(t, filepath.Join(publicDir(dir), "carol"))
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := map[string]*zyre.Zyre{}
		for _, name := range []string{"alice", "bob", "carol"} {
			nodes[name] = network.NewNode(name)
			if err := secure(nodes[name], dir, name); err != nil {
				t.Fatal(err)
			}
			if err := nodes[name].Start(); err != nil {
				t.Fatal(err)
			}
			if err := nodes[name].WaitPeers(t.Context(), "", len(nodes)-1); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"alice", "bob"} { // carol keeps her old list
			go watch(t.Context(), nodes[name], publicDir(dir), 5*time.Second)
		}
		if err := os.Remove(filepath.Join(publicDir(dir), "carol")); err != nil {
			t.Fatal(err)
		}
		pass(6 * time.Second)
		if got := nodes["alice"].PeerList(); len(got) != 1 || got[0].Name != "bob" {
			t.Errorf("alice has %v, want bob alone", got)
		}
		var reasons []string
		for len(nodes["alice"].Events()) > 0 {
			if e := <-nodes["alice"].Events(); e.Type == zyre.EventExit {
				reasons = append(reasons, e.PeerName+": "+e.Reason)
			}
		}
		if len(reasons) != 1 || reasons[0] != "carol: "+zyre.ReasonRevoked {
			t.Errorf("exits %q, want carol's, %s", reasons, zyre.ReasonRevoked)
		}
		pass(time.Minute)
		if got := nodes["carol"].Peers(); len(got) != 0 {
			t.Errorf("carol has %d peers a minute later, want none", len(got))
		}
		if err := os.WriteFile(filepath.Join(publicDir(dir), "carol"), kept, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := nodes["carol"].WaitPeers(t.Context(), "", 2); err != nil {
			t.Errorf("carol, allowed again: %v", err)
		}
	})
}

// A damaged file does not keep another one from being revoked, and a directory that is gone
// shuts out nobody.
func TestAuthorize_faults(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"alice", "bob"} {
		if err := makeCert(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		alice, bob := network.NewNode("alice"), network.NewNode("bob")
		for name, node := range map[string]*zyre.Zyre{"alice": alice, "bob": bob} {
			if err := errors.Join(secure(node, dir, name), node.Start()); err != nil {
				t.Fatal(err)
			}
		}
		if err := alice.WaitPeers(t.Context(), "", 1); err != nil {
			t.Fatal(err)
		}
		if err := authorize(alice, filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) || len(alice.Peers()) != 1 {
			t.Errorf("without a directory: %v, %d peers, want %v, 1", err, len(alice.Peers()), fs.ErrNotExist)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(publicDir(dir), "x"), []byte("?"), 0o600),
			os.Remove(filepath.Join(publicDir(dir), "bob"))); err != nil {
			t.Fatal(err)
		}
		if err := authorize(alice, publicDir(dir)); err == nil || len(alice.Peers()) != 0 {
			t.Errorf("with a damaged file: %v, %d peers, want an error, 0", err, len(alice.Peers()))
		}
	})
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pass lets time pass in the bubble, and all that is due by then be done.
func pass(d time.Duration) {
	synctest.Wait() // panics outside a bubble, where time is real
	time.Sleep(d)   //nolint:forbidigo // it takes no time
	synctest.Wait()
}
