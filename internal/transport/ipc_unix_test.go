//go:build unix

package transport_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// staleSocket leaves a socket as a process does that dies.
func staleSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// An ipc endpoint in use is refused, and what a dead process has left is not in the way.
func TestInbox_Bind_ipcInUse(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		inUse   bool
	}{
		{"nothing", func(*testing.T, string) {}, false},
		{"stale", staleSocket, false},
		{"regular file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"other program", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}, true},
		{"inbox", func(t *testing.T, path string) {
			tr := transporttest.NewZMQ(t)
			first, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "ipc://"+path)
			t.Cleanup(func() { // the first one is still reachable
				m := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: transporttest.Identity})
				transporttest.MustSend(t, m, transporttest.PingHeader)
				var p transport.Packet
				transporttest.MustRecv(t, first, &p)
			})
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			test.prepare(t, path)
			before, _ := os.Lstat(path)
			tr := transporttest.NewZMQ(t)
			in, _ := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
			_, err := in.Bind("ipc://" + path)
			if errors.Is(err, zmq.EADDRINUSE) != test.inUse || err == nil == test.inUse {
				t.Errorf("Bind() = %v, want in use: %t", err, test.inUse)
			}
			if after, _ := os.Lstat(path); test.inUse && !os.SameFile(before, after) {
				t.Error("Bind() has replaced what was there")
			}
		})
	}
}

// Of several that bind one path at the same time one succeeds, whatever was there before.
func TestInbox_Bind_ipcAtOnce(t *testing.T) {
	const contestants = 8
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		staleSocket(t, path)
		tr := transporttest.NewZMQ(t)
		var inboxes []transport.Inbox
		for range contestants {
			in, err := tr.Listen(transport.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = in.Close() })
			inboxes = append(inboxes, in)
		}
		bound := make([]bool, contestants)
		var wg sync.WaitGroup
		for i, in := range inboxes {
			wg.Go(func() {
				_, err := in.Bind("ipc://" + path)
				bound[i] = err == nil
			})
		}
		wg.Wait()
		count := 0
		for _, b := range bound {
			if b {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d of %d bound one path, want 1", count, contestants)
		}
	}
}
