package transport_test

import (
	"net"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

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
