package mem_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/mem"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestNetwork_contract(t *testing.T) {
	transporttest.Contract(t, func(testing.TB) transport.Transport { return mem.New() })
}

func TestNetwork_Partition(t *testing.T) {
	n := mem.New()
	in, endpoint := transporttest.MustListen(t, n, transport.ListenOptions{}, "inproc://mem-partition")
	m := transporttest.MustDial(t, n, endpoint, transport.DialOptions{})
	var p transport.Packet
	for _, cut := range []bool{true, false} {
		n.Partition(endpoint, cut)
		transporttest.MustSend(t, m, transporttest.PingHeader)
		if err := in.Recv(&p); errors.Is(err, transport.ErrAgain) != cut {
			t.Errorf("Recv() = %v with the network cut: %t", err, cut)
		}
	}
}

func TestNetwork_Waits(t *testing.T) {
	n := mem.New()
	in, endpoint := transporttest.MustListen(t, n, transport.ListenOptions{}, "inproc://mem-waits")
	for range 3 {
		in.Wait(time.Now())
	}
	if got := n.Waits(endpoint); got != 3 {
		t.Errorf("Waits(%s) = %d, want 3", endpoint, got)
	}
	if got := n.Waits("inproc://mem-nobody"); got != 0 {
		t.Errorf("Waits() of nobody = %d, want 0", got)
	}
}
