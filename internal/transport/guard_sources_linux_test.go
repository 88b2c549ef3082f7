package transport_test

import (
	"testing"

	"github.com/go-zyre/zyre/internal/tcpinfo"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// A descriptor that belongs to the connection of another inbox by now tells nothing.
func TestInbox_source(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	one, _ := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	other, at := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	m := transporttest.MustDial(t, tr, at, transport.DialOptions{})
	var p transport.Packet
	transporttest.MustSend(t, m, []byte{0xaa, 0xa1, 1, 2})
	transporttest.MustRecv(t, other, &p)
	const descriptors = 1000
	for fd := range descriptors {
		if tcpinfo.Of(fd) != p.Conn {
			continue
		}
		if got := other.Guard().Source(fd, nil); got != p.Conn {
			t.Errorf("connection of a message = %v, want %v", got, p.Conn)
		}
		if got := one.Guard().Source(fd, nil); got != (transport.Conn{}) {
			t.Errorf("connection of a message to another inbox = %v, want none", got)
		}
		return
	}
	t.Errorf("no descriptor below %d is that of %v", descriptors, p.Conn)
}
