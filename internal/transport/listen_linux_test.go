package transport_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/sandbox"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// TestBind_withoutNetlink binds in a process of its own, which libzmq would abort.
func TestBind_withoutNetlink(t *testing.T) {
	sandbox.WithoutNetlink(t, bindWithoutNetlink)
}

func bindWithoutNetlink(t *testing.T) {
	if err := transport.CheckNetlink(); !errors.Is(err, transport.ErrNoNetlink) {
		t.Fatalf("CheckNetlink() = %v, want %v", err, transport.ErrNoNetlink)
	}
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	taken := ""
	for i, endpoint := range []string{"tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://127.0.0.1:0", "ipc://" + t.TempDir() + "/s"} {
		in, bound := transporttest.MustListen(t, tr, transport.ListenOptions{}, endpoint)
		m := transporttest.MustDial(t, tr, bound, transport.DialOptions{Identity: fmt.Append(nil, "peer", i)})
		transporttest.MustSend(t, m, transporttest.PingHeader)
		var p transport.Packet
		transporttest.MustRecv(t, in, &p)
		if at, err := transport.ParseEndpoint(bound); err == nil && at.IsValid() { // a port that the system gives to nobody meanwhile
			fixed := fmt.Sprintf("tcp://%s", netip.AddrPortFrom(at.Addr(), uint16(kit.QuietTCPPort(t))))
			if err := in.Unbind(bound); err != nil {
				t.Fatal(err)
			}
			if bound, err = in.Bind(fixed); bound != fixed || err != nil {
				t.Fatalf("Bind(%s) = %s, %v", fixed, bound, err)
			}
		}
		taken = bound
		for n := range 20 { // what is unbound is free, can be bound again, and hears
			if err := in.Unbind(bound); err != nil {
				t.Fatal(err)
			}
			if again, err := in.Bind(bound); again != bound || err != nil {
				t.Fatalf("Bind(%s) = %s, %v", bound, again, err)
			}
			m := transporttest.MustDial(t, tr, bound, transport.DialOptions{Identity: fmt.Append(nil, "peer", i, "again", n)})
			transporttest.MustSend(t, m, transporttest.PingHeader)
			transporttest.MustRecv(t, in, &p)
		}
		other, _ := transporttest.MustListen(t, tr, transport.ListenOptions{}, "inproc://other"+fmt.Sprint(i))
		if _, err := other.Bind(bound); !errors.Is(err, zmq.EADDRINUSE) {
			t.Errorf("Bind(%s), which is in use, = %v, want %v", taken, err, zmq.EADDRINUSE)
		}
		for _, named := range []string{"tcp://lo:*", "tcp://localhost:*"} {
			if _, err := in.Bind(named); !errors.Is(err, transport.ErrNoNetlink) {
				t.Errorf("Bind(%s) = %v, want %v", named, err, transport.ErrNoNetlink)
			}
		}
	}
}

// The listening socket of an IPv6 address takes IPv4 too where the address stands for all, as
// that of libzmq does, and what the system says against an address comes as libzmq says it.
func TestBind_addresses(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, bound := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://[::]:*")
	for i, host := range []string{"127.0.0.1", "[::1]"} {
		at := strings.Replace(bound, "[::]", host, 1)
		m := transporttest.MustDial(t, tr, at, transport.DialOptions{Identity: fmt.Append(nil, "peer", i)})
		transporttest.MustSend(t, m, transporttest.PingHeader)
		var p transport.Packet
		transporttest.MustRecv(t, in, &p)
	}
	port := bound[strings.LastIndexByte(bound, ':'):]
	for endpoint, want := range map[string]error{
		"tcp://[::]" + port:      zmq.EADDRINUSE,
		"tcp://127.0.0.1" + port: zmq.EADDRINUSE,
		"tcp://192.0.2.1:*":      zmq.EADDRNOTAVAIL, // of no host
	} {
		if got, err := in.Bind(endpoint); !errors.Is(err, want) {
			t.Errorf("Bind(%s) = %q, %v, want %v", endpoint, got, err, want)
		}
	}
}
