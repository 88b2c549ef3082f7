package zyre

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// Both kinds are what they are to be used as.
var (
	_ Connection = (*IPv4Conn)(nil)
	_ Connection = (*IPv6Conn)(nil)
)

// Both kinds of Connection do what the interface promises.
func TestConnection(t *testing.T) {
	ifi, err := net.InterfaceByName(loopback(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		addr string
		open func(port int) (Connection, error)
	}{
		{"IPv4", "127.0.0.1", func(port int) (Connection, error) { return asConnection(NewIPv4Conn(port)) }},
		{"IPv6", "::1", func(port int) (Connection, error) { return asConnection(NewIPv6Conn(port)) }},
		{"either", "127.0.0.1", NewConn},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port := freeUDPPort(t)
			a, err := test.open(port)
			if err != nil {
				t.Skipf("the host cannot: %v", err)
			}
			b, err := test.open(port)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Addr(); got != "" {
				t.Errorf("Addr() = %q before JoinGroup, want none", got)
			}
			if err := a.WriteTo([]byte("x")); err == nil {
				t.Error("WriteTo() = nil before JoinGroup, want an error")
			}
			if err := a.JoinGroup(nil); !errors.Is(err, ErrNoInterface) {
				t.Errorf("JoinGroup(nil) = %v, want ErrNoInterface", err)
			}
			for _, c := range []Connection{a, b, a} {
				if err := c.JoinGroup(ifi); err != nil {
					t.Skipf("the host cannot: %v", err)
				}
			}
			if got := a.Addr(); got != test.addr {
				t.Errorf("Addr() = %q, want %q", got, test.addr)
			}
			err = a.WriteTo([]byte("hello"))
			if test.name == "IPv6" && errors.Is(err, syscall.ENETUNREACH) {
				t.Skipf("loopback has no route for multicast, as on Linux: %v", err)
			}
			if err != nil {
				t.Fatalf("WriteTo() = %v", err)
			}
			buff := make([]byte, 255)
			n, src, err := b.ReadFrom(buff)
			if err != nil || string(buff[:n]) != "hello" || src.String() != test.addr {
				t.Errorf("ReadFrom() = %q, %v, %v, want hello from %s", buff[:n], src, err, test.addr)
			}
			reading := make(chan error)
			go func() { // ends by Close
				_, _, err := b.ReadFrom(buff)
				reading <- err
			}()
			if err := errors.Join(a.Close(), b.Close()); err != nil {
				t.Errorf("Close() = %v", err)
			}
			if err := <-reading; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadFrom() = %v, want net.ErrClosed", err)
			}
			if err := a.WriteTo([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("WriteTo() after Close = %v, want net.ErrClosed", err)
			}
		})
	}
}

func asConnection[C Connection](c C, err error) (Connection, error) { return c, err }

func TestConnection_noSuchPort(t *testing.T) {
	for _, port := range []int{-1, 65536} {
		if c, err := NewConn(port); err == nil {
			c.Close()
			t.Errorf("NewConn(%d) = nil error, want one", port)
		}
	}
	if got := (ConnData{}).Addr(); got != "" {
		t.Errorf("Addr() of a zero ConnData = %q, want none", got)
	}
}
