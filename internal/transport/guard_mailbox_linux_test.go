package transport_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// The connection of a mailbox ends if much comes back on it. Another one of the process to the
// same address, which a stranger may have named as its own, does not.
func TestMailbox_answers(t *testing.T) {
	w := watch(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	app, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	tr := transporttest.NewZMQ(t)
	transporttest.MustDial(t, tr, "tcp://"+l.Addr().String(), transport.DialOptions{Identity: transporttest.Identity})
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := zmtp.Accept(accepted)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	const size = 1 << 20
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(app, make([]byte, size))
		read <- err
	}()
	if _, err := server.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	until := w.now.Add(5 * time.Second)
	w.lookUntil("5 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 0 {
		t.Error("a connection was ended that is no mailbox's")
	}
	_, _ = peer.Write(emptyFrames(size / 2))
	w.lookUntil("that of the mailbox is ended", func() bool { return w.g.Cut() == 1 && peer.Ended(time.Millisecond) })
	if _, err := server.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(app, make([]byte, 1)); err != nil {
		t.Errorf("the other connection: %v", err)
	}
}

// A descriptor in an event may be another connection's by the time it is read.
func TestDialedGuard_Connected(t *testing.T) {
	_, at := transporttest.MustListen(t, transporttest.NewZMQ(t), transport.ListenOptions{}, "tcp://127.0.0.1:*")
	for _, isOurs := range []bool{true, false} {
		endpoint := at
		if !isOurs {
			endpoint = "tcp://127.0.0.1:1"
		}
		c, err := net.Dial("tcp", strings.TrimPrefix(at, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		g := transport.NewDialedGuard(endpoint, false)
		g.Connected(descriptorOf(t, c))
		if got := transport.HasConnection(&g); got != isOurs {
			t.Errorf("connected to %s, want %s: it has a connection: %t, want %t", at, endpoint, got, isOurs)
		}
	}
}

func descriptorOf(t *testing.T, c net.Conn) (fd int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(n uintptr) { fd = int(n) }); err != nil {
		t.Fatal(err)
	}
	return fd
}
