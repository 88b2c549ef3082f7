// Package transporttest holds transports to their contract, and helps other tests with
// them.
package transporttest

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
)

// patience is how long to wait for what must happen.
const patience = 20 * time.Second

// Headers of commands with and without content, and an identity to dial with.
var (
	WhisperHeader = []byte{0xaa, 0xa1, 2, 2, 0, 1}
	PingHeader    = []byte{0xaa, 0xa1, 6, 2, 0, 1}
	Identity      = append([]byte{1}, "0123456789abcdef"...)
)

// NewZMQ makes a transport that is closed when the test ends.
func NewZMQ(tb testing.TB) *transport.ZMQ {
	tb.Helper()
	tr, err := transport.NewZMQ()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := tr.Close(); err != nil {
			tb.Errorf("Close() = %v", err)
		}
	})
	return tr
}

// MustListen makes an inbox, binds it and returns the endpoint as bound.
func MustListen(tb testing.TB, tr transport.Transport, opts transport.ListenOptions, endpoint string) (transport.Inbox, string) {
	tb.Helper()
	in, err := tr.Listen(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close() })
	bound, err := in.Bind(endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	return in, bound
}

// MustDial makes a mailbox, with Identity if the options have none.
func MustDial(tb testing.TB, tr transport.Transport, endpoint string, opts transport.DialOptions) transport.Mailbox {
	tb.Helper()
	if opts.Identity == nil {
		opts.Identity = Identity
	}
	m, err := tr.Dial(endpoint, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close(0) })
	return m
}

// MustSend sends a message for which there is room.
func MustSend(t *testing.T, m transport.Mailbox, header []byte, frames ...[]byte) {
	t.Helper()
	if err := m.Send(header, frames); err != nil {
		t.Fatalf("Send() = %v", err)
	}
}

// MustRecv waits for the next message.
func MustRecv(tb testing.TB, in transport.Inbox, p *transport.Packet) {
	tb.Helper()
	if !RecvBy(tb, in, p, time.Now().Add(patience)) {
		tb.Fatal("nothing received")
	}
}

// RecvBy waits for the next message and reports whether there was one in time.
func RecvBy(tb testing.TB, in transport.Inbox, p *transport.Packet, until time.Time) bool {
	tb.Helper()
	for {
		err := in.Recv(p)
		if err == nil {
			return true
		}
		if !errors.Is(err, transport.ErrAgain) {
			tb.Fatalf("Recv() = %v", err)
		}
		if !time.Now().Before(until) {
			return false
		}
		in.Wait(until)
	}
}

// Resources counts what the process holds.
func Resources(t testing.TB) (threads, descriptors, goroutines int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	for _, task := range tasks { // libzmq's; Go keeps its own threads
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.HasPrefix(string(name), "ZMQ") {
			threads++
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return threads, len(fds), runtime.NumGoroutine()
}

// NewKeys makes a CURVE key pair.
func NewKeys(tb testing.TB) (public, secret string) {
	tb.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		tb.Skip("libzmq without CURVE: ", err)
	}
	return public, secret
}
