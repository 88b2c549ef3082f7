package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// The files are small, and the window is small as well, so that they take several rounds
// all the same.
const (
	window   = 256 << 10
	fileSize = 6 * window
)

// testFleet is a fleet in memory.
type testFleet struct {
	t       *testing.T
	certs   string
	network *zyretest.Network
	agents  map[string]*agent
	stop    map[string]context.CancelFunc
	ended   map[string]chan struct{}
	running sync.WaitGroup
	send    string // what agents send to all that join, from now on
}

// made is the directory with the certificates of all who take part in a fleet.
var made string

// TestMain makes the certificates once: that is real cryptography, and each file waits for
// the disk.
func TestMain(m *testing.M) {
	var err error
	if made, err = os.MkdirTemp("", "fleet-*"); err == nil {
		defer os.RemoveAll(made)
		for _, name := range []string{"alice", "bob", "carol", "dave"} {
			err = errors.Join(err, makeCert(made, name))
		}
	}
	if err != nil {
		panic(err)
	}
	m.Run()
}

// makeFleet makes a fleet, with a directory of the certificates of those who are named.
func makeFleet(t *testing.T, names ...string) *testFleet {
	t.Helper()
	f := &testFleet{t: t, certs: t.TempDir(), agents: map[string]*agent{}, stop: map[string]context.CancelFunc{}, ended: map[string]chan struct{}{}}
	err := os.Mkdir(filepath.Join(f.certs, "public"), 0o700)
	for _, name := range names {
		for _, file := range []string{name, name + "_secret", filepath.Join("public", name)} {
			err = errors.Join(err, os.Link(filepath.Join(made, file), filepath.Join(f.certs, file)))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// start starts agents. Each gets a directory of its own.
func (f *testFleet) start(names ...string) {
	f.t.Helper()
	if f.network == nil {
		f.network = zyretest.NewNetwork(f.t)
	}
	for _, name := range names {
		files := filepath.Join(f.certs, "files of "+name)
		if err := os.MkdirAll(files, 0o700); err != nil {
			f.t.Fatal(err)
		}
		node := f.network.NewNode(name).SetWindow(window)
		a, err := newAgent(node, f.certs, files, slog.New(slog.DiscardHandler))
		if err != nil {
			f.t.Fatal(err)
		}
		a.send = f.send
		ctx, cancel := context.WithCancel(f.t.Context())
		f.agents[name], f.stop[name] = a, cancel
		ended := make(chan struct{})
		f.ended[name] = ended
		f.running.Go(func() {
			defer close(ended)
			if err := a.run(ctx); err != nil {
				f.t.Error(err)
			}
		})
	}
	synctest.Wait() // all have started
}

// settle waits for an election, and a status of each agent.
func (f *testFleet) settle() { pass(10 * time.Second) }

// end ends all agents, and waits for their end.
func (f *testFleet) end() {
	for _, stop := range f.stop {
		stop()
	}
	f.running.Wait()
}

// check fails the test unless each agent knows all others, and one coordinates.
func (f *testFleet) check(when string) {
	f.t.Helper()
	leaders := 0
	for name, a := range f.agents {
		others := 0
		a.fleet.Range(func(_, _ any) bool { others++; return true })
		if others != len(f.agents)-1 {
			f.t.Errorf("%s: %s knows %d others, want %d", when, name, others, len(f.agents)-1)
		}
		if a.leader.Load() {
			leaders++
		}
	}
	if leaders != 1 {
		f.t.Errorf("%s: %d coordinators, want 1", when, leaders)
	}
}

// makeFile makes a file.
func (f *testFleet) makeFile() (path string, content []byte) {
	content = make([]byte, fileSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	path = filepath.Join(f.certs, "big.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path, content
}

func TestFleet(t *testing.T) {
	f := makeFleet(t, "alice", "bob", "carol", "dave")
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		f.start("alice", "bob", "carol", "dave")
		f.settle()
		f.check("at the start")
		for name, a := range f.agents {
			if a.leader.Load() {
				f.network.Kill(a.node)
				delete(f.agents, name)
			}
		}
		pass(time.Minute)
		f.check("after the coordinator has died")
		f.end()
	})
}

// A file arrives whole.
func TestFleet_file(t *testing.T) {
	f := makeFleet(t, "alice", "bob")
	path, content := f.makeFile()
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		f.start("alice", "bob")
		f.settle()
		if err := f.agents["alice"].sendFile(t.Context(), f.agents["bob"].node.UUID(), path); err != nil {
			t.Error(err)
		}
		got, err := os.ReadFile(filepath.Join(f.agents["bob"].files, "big.bin"))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came, %v, want the file", len(got), err)
		}
		f.end()
	})
}

// However a transfer is interrupted, the sender learns of it, and nothing is left of it.
func TestFleet_fileInterrupted(t *testing.T) {
	for name, c := range map[string]struct {
		interrupt func(f *testFleet)
		patience  time.Duration
		want      string // in the error, of which there must be one
	}{
		"the receiver is killed":    {func(f *testFleet) { f.network.Kill(f.agents["bob"].node) }, time.Minute, ""},
		"the connection breaks":     {func(f *testFleet) { f.network.Break(f.agents["alice"].node, f.agents["bob"].node) }, time.Minute, ""},
		"the directory is gone":     {func(f *testFleet) { _ = os.RemoveAll(f.agents["bob"].files) }, time.Minute, "failed"},
		"the sender takes too long": {func(f *testFleet) { f.network.Partition(f.agents["bob"].node) }, 10 * time.Second, context.DeadlineExceeded.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			f := makeFleet(t, "alice", "bob")
			path, _ := f.makeFile()
			synctest.Test(t, func(t *testing.T) {
				f.t = t
				f.start("alice", "bob")
				f.settle()
				f.network.SetLatency(20 * time.Millisecond) // so that it takes a while
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				time.AfterFunc(70*time.Millisecond, func() { c.interrupt(f) }) // in the second round
				err := f.agents["alice"].sendFile(ctx, f.agents["bob"].node.UUID(), path)
				if err == nil || !strings.Contains(fmt.Sprint(err), c.want) {
					t.Errorf("sendFile() = %v, want an error with %q", err, c.want)
				}
				if ctx.Err() != nil && c.want != context.DeadlineExceeded.Error() {
					t.Errorf("the sender waited for %v, want until EXIT", c.patience)
				}
				f.end()
			})
			if left, _ := filepath.Glob(f.agents["bob"].files + "/.*-*"); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
		})
	}
}

// Who has no certificate on the list does not take part, and who loses it is shut out.
func TestFleet_list(t *testing.T) {
	f := makeFleet(t, "alice", "bob", "carol")
	public := filepath.Join(f.certs, "public")
	if err := os.Rename(filepath.Join(public, "carol"), filepath.Join(f.certs, "carol.kept")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		f.start("alice", "bob", "carol")
		f.settle()
		carol := f.agents["carol"]
		delete(f.agents, "carol")
		f.check("carol is not on the list")
		if peers := carol.node.Peers(); len(peers) != 0 {
			t.Errorf("carol has %d peers, want none", len(peers))
		}
		if err := os.Rename(filepath.Join(f.certs, "carol.kept"), filepath.Join(public, "carol")); err != nil {
			t.Fatal(err)
		}
		f.agents["carol"] = carol
		pass(40 * time.Second)
		f.check("carol is on the list")
		if err := os.Remove(filepath.Join(public, "bob")); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if got := f.agents["alice"].node.PeersByName("bob"); len(got) != 0 {
			t.Error("bob is still there")
		}
		f.end()
	})
}

// An agent that is to end finishes a transfer first, and gives up one that takes too long.
func TestFleet_graceful(t *testing.T) {
	for name, c := range map[string]struct {
		latency time.Duration
		stored  bool
	}{"in time": {20 * time.Millisecond, true}, "too late": {5 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			f := makeFleet(t, "alice", "bob")
			path, _ := f.makeFile()
			synctest.Test(t, func(t *testing.T) {
				f.t = t
				f.send = path
				f.start("alice")
				f.send = ""
				f.start("bob")
				if err := f.agents["alice"].node.WaitPeers(t.Context(), group, 1); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // the transfer has begun
				f.network.SetLatency(c.latency)
				start := time.Now()
				f.stop["alice"]()
				<-f.ended["alice"]
				if took := time.Since(start); took > grace+2*time.Second {
					t.Errorf("ended after %v, want %v at the most", took, grace)
				}
				f.end()
			})
			if _, err := os.Stat(filepath.Join(f.agents["bob"].files, "big.bin")); (err == nil) != c.stored {
				t.Errorf("bob has the file: %v, want stored %t", err, c.stored)
			}
		})
	}
}

// loneAgent makes an agent that is not started.
func loneAgent(t *testing.T) *agent {
	t.Helper()
	f := makeFleet(t, "alice")
	a, err := newAgent(zyre.NewZyre(t.Context()).SetName("alice"), f.certs, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What comes damaged is not stored, nor is what a peer had not completed when it exited.
func TestAgent_incompleteFiles(t *testing.T) {
	for name, last := range map[string]*zyre.Event{
		"damaged":   {Type: zyre.EventWhisper, Frames: [][]byte{[]byte("end"), []byte("another hash")}},
		"exit":      {Type: zyre.EventExit},
		"next file": {Type: zyre.EventWhisper, Frames: [][]byte{[]byte("file"), []byte("..")}},
	} {
		a := loneAgent(t)
		for _, e := range []*zyre.Event{
			{Type: zyre.EventWhisper, Frames: [][]byte{[]byte("file"), []byte("x")}},
			{Type: zyre.EventWhisper, Frames: [][]byte{[]byte("piece"), []byte("content")}},
			last,
		} {
			e.PeerUUID = "BOB"
			a.handle(t.Context(), e)
		}
		if left, err := os.ReadDir(a.files); err != nil || len(left) > 0 || len(a.coming) > 0 {
			t.Errorf("%s: %v is left, %d under way, %v, want nothing", name, left, len(a.coming), err)
		}
	}
}

// No name from the network leads out of the directory.
func TestAgent_hostileNames(t *testing.T) {
	a := loneAgent(t)
	for _, name := range []string{"", ".", "..", "../x", "/x", "a/b"} {
		if err := a.begin("MALLORY", name); err == nil {
			t.Errorf("begin(%q) = nil, want an error", name)
		}
	}
}

// pass lets time pass in the bubble, and all that is due by then be done.
func pass(d time.Duration) {
	synctest.Wait() // panics outside a bubble, where time is real
	time.Sleep(d)   //nolint:forbidigo // it takes no time
	synctest.Wait()
}
