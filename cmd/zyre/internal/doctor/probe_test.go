package doctor

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
)

// serve answers connections to a port of loopback, and counts them.
func serve(t *testing.T, answer []byte) (at netip.AddrPort, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int32{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_, _ = io.ReadFull(c, make([]byte, len(greeting)))
			_, _ = c.Write(answer)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort(), connections
}

// greetingOf is the greeting of ZeroMQ with a mechanism.
func greetingOf(mechanism string) []byte {
	g := make([]byte, 64)
	g[0], g[9], g[10], g[11] = 0xff, 0x7f, 3, 1
	copy(g[12:32], mechanism)
	return g
}

func TestProbeTCP(t *testing.T) {
	odd := greetingOf("NULL")
	odd[9] = 0x7e
	for _, c := range []struct {
		name   string
		answer []byte
		want   probe
	}{
		{"plain", greetingOf("NULL"), probe{tcpOpen, "NULL"}},
		{"secure", greetingOf("CURVE"), probe{tcpOpen, "CURVE"}},
		{"more than a greeting", append(greetingOf("PLAIN"), 4, 1, 5), probe{tcpOpen, "PLAIN"}},
		{"a greeting cut short", greetingOf("NULL")[:63], probe{state: notZeroMQ}},
		{"a signature that is none", odd, probe{state: notZeroMQ}},
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"), probe{state: notZeroMQ}},
		{"nothing", nil, probe{state: notZeroMQ}},
	} {
		at, _ := serve(t, c.answer)
		if got := probeTCP(at); got != c.want {
			t.Errorf("%s: probeTCP() = %+v, want %+v", c.name, got, c.want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := probeTCP(l.Addr().(*net.TCPAddr).AddrPort()); got.state != tcpRefused {
		t.Errorf("nobody listens: probeTCP() = %+v, want %q", got, tcpRefused)
	}
}

// A port is tried once, and nothing is known of it before.
func TestProber(t *testing.T) {
	at, connections := serve(t, greetingOf("NULL"))
	p := newProber()
	if r, ok := p.result(at); ok {
		t.Errorf("result() of a port that was not tried = %+v", r)
	}
	for range 3 {
		p.start(at)
	}
	p.wait()
	p.start(at)
	p.wait()
	if r, ok := p.result(at); !ok || r.state != tcpOpen {
		t.Errorf("result() = %+v, %t, want that it is open", r, ok)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestExplainDial(t *testing.T) {
	failed := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{failed(syscall.ECONNREFUSED), tcpRefused},
		{failed(syscall.EHOSTUNREACH), tcpUnreachable},
		{failed(syscall.ENETUNREACH), tcpUnreachable},
		{failed(syscall.EPERM), tcpUnreachable},
		{failed(syscall.ETIMEDOUT), tcpSilent},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, tcpSilent},
		{errors.New("anything else"), tcpUnreachable},
	} {
		if got := explainDial(c.err); got != c.want {
			t.Errorf("explainDial(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
