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
		g, err := transport.NewDialedGuard(endpoint, false)
		if err != nil {
			t.Fatal(err)
		}
		g.Connected(descriptorOf(t, c))
		if got := transport.HasConnection(&g); got != isOurs {
			t.Errorf("connected to %s, want %s: it has a connection: %t, want %t", at, endpoint, got, isOurs)
		}
	}
}

// A guard that does not know where its connection leads would never end it.
func TestNewDialedGuard(t *testing.T) {
	for endpoint, isGood := range map[string]bool{
		"tcp://10.0.0.9:9999": true, "tcp://[fe80::1%lo]:9999": true, "tcp://0.0.0.0:9999": true,
		"ipc:///a path": true, "inproc://hub": true,
		"tcp://10.0.0.5:0;10.0.0.9:9999": false, "tcp://hub.example:9999": false, "tcp://10.0.0.9:0": false, "tcp://": false,
	} {
		if _, err := transport.NewDialedGuard(endpoint, false); (err == nil) != isGood {
			t.Errorf("NewDialedGuard(%q) = %v, want an error: %t", endpoint, err, !isGood)
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
