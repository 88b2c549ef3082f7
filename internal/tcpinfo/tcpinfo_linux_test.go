package tcpinfo

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connect makes a connection over loopback and returns both of its ends.
func connect(t testing.TB) (dialed, accepted *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(); a.Close() })
	return d.(*net.TCPConn), a.(*net.TCPConn)
}

// descriptor returns the number by which the system knows a connection.
func descriptor(t testing.TB, c *net.TCPConn) (fd int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(n uintptr) { fd = int(n) }); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestConn_Count(t *testing.T) {
	dialed, accepted := connect(t)
	in, out := Of(descriptor(t, accepted)), Of(descriptor(t, dialed))
	const size = 5000
	if _, err := dialed.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if got, ok := in.Count(); !ok || got.Received != size || got.Acked > 1 {
		t.Errorf("Count() of the receiving end = %+v, %v, want %d received", got, ok, size)
	}
	// SYN counts for one.
	if got, ok := out.Count(); !ok || got.Received != 0 || got.Acked < size || got.Waiting {
		t.Errorf("Count() of the sending end = %+v, %v, want %d acked and none waiting", got, ok, size)
	}
	accepted.Close()
	if got, ok := in.Count(); ok {
		t.Errorf("Count() of a closed connection = %+v, want none", got)
	}
	if got, ok := (Conn{}).Count(); ok {
		t.Errorf("Count() of no connection = %+v, want none", got)
	}
}

// What a receiver does not read waits, and then moves no more.
func TestConn_Count_waiting(t *testing.T) {
	dialed, accepted := connect(t)
	if err := accepted.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fd, part := descriptor(t, dialed), make([]byte, 1<<20)
	for written := 0; ; {
		n, err := syscall.Write(fd, part) // Go's descriptors do not block
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if written += n; err != nil || written > 1<<30 {
			t.Fatalf("after %d bytes: %v, want EAGAIN from a full buffer", written, err)
		}
	}
	if got, ok := Of(fd).Count(); !ok || !got.Waiting {
		t.Errorf("Count() = %+v, %v, want some waiting", got, ok)
	}
}

func TestOf_noConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if got := Of(int(fd)); got != (Conn{}) {
			t.Errorf("Of(a listener) = %v, want none", got)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got := Of(-1); got != (Conn{}) {
		t.Errorf("Of(-1) = %v, want none", got)
	}
}

func BenchmarkConn_Count(b *testing.B) {
	dialed, _ := connect(b)
	c := Of(descriptor(b, dialed))
	for b.Loop() {
		c.Count()
	}
}

// BenchmarkAll looks at the descriptors of a process with 3,000 of them.
func BenchmarkAll(b *testing.B) {
	for range 1500 {
		connect(b)
	}
	for name, again := range map[string]bool{"first": false, "again": true} {
		b.Run(name, func(b *testing.B) {
			var before []Reading
			for b.Loop() {
				if all := All(before); again {
					before = all
				}
			}
		})
	}
}

// What was read before is told apart from what has its descriptor now, or has ended.
func TestAll_again(t *testing.T) {
	stays, ends := Of(descriptor(t, first(connect(t)))), first(connect(t))
	ended := Of(descriptor(t, ends))
	broken := first(connect(t))
	reset := Of(descriptor(t, broken))
	before := All(nil)
	if !contains(before, stays) || !contains(before, ended) || !contains(before, reset) {
		t.Fatalf("All(nil) = %v, want %v, %v and %v among them", before, stays, ended, reset)
	}
	ends.Close()
	if err := disconnect(reset.fd); err != nil {
		t.Fatal(err)
	}
	next := Of(descriptor(t, first(connect(t)))) // with the descriptor of the one that has ended
	all := All(before)
	if next.fd != ended.fd {
		t.Fatalf("the next connection has descriptor %d, want %d", next.fd, ended.fd)
	}
	if !contains(all, stays) || !contains(all, next) || contains(all, ended) || contains(all, reset) {
		t.Errorf("All(before) = %v, want %v and %v, and neither %v nor %v", all, stays, next, ended, reset)
	}
}

// A look finds each connection once, wherever its number is and however many descriptors were open
// before it, and leaves one number out.
func TestLook_all(t *testing.T) {
	kept(t)
	for range 100 { // so that it need not try all the numbers up to the next ones
		connect(t)
	}
	low, out := Of(descriptor(t, first(connect(t)))), Of(descriptor(t, first(connect(t))))
	now, err := openDescriptors()
	if err != nil {
		t.Fatal(err)
	}
	above := duplicateFrom(t, low, now+40)
	high := duplicateFrom(t, low, 2000)
	for name, open := range map[string]int{
		"the kernel does not tell": 0, "one": 1, "others were opened since": now - 1, "now": now,
		"up to the gap": now + 1, "up to the last": now + 2, "others were closed since": now + 3, "all numbers are tried": 2001,
	} {
		t.Run(name, func(t *testing.T) {
			var before []Reading
			for range 2 {
				l := look{before: before}
				if err := l.all(open, out.fd); err != nil {
					t.Fatal(err)
				}
				for c, want := range map[Conn]int{low: 1, above: 1, high: 1, out: 0} {
					got := 0
					for _, r := range l.found {
						if r.Conn == c {
							got++
						}
					}
					if got != want {
						t.Errorf("found %v %d times, want %d", c, got, want)
					}
				}
				before = l.found
			}
		})
	}
}

func TestDescriptors(t *testing.T) {
	duplicateFrom(t, Of(descriptor(t, first(connect(t)))), 2000)
	all := descriptorsNow(t)
	for from := range all[len(all)-1] + 2 {
		got, err := descriptors(from, spare.number())
		if err != nil {
			t.Fatal(err)
		}
		next, _ := slices.BinarySearch(all, from)
		if !slices.Equal(got, all[next:]) {
			t.Fatalf("descriptors(%d) = %v, want %v", from, got, all[next:])
		}
	}
}

// duplicateFrom returns a connection under another number, the next one from a number on.
func duplicateFrom(t *testing.T, c Conn, from int) Conn {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return Of(fd)
}

// Numbers are tried from the lowest on until enough are open, or too many were tried.
func TestLook_try(t *testing.T) {
	low := Of(descriptor(t, first(connect(t))))
	duplicateFrom(t, low, 2000)
	fds := descriptorsNow(t)
	for _, open := range []int{1, 2, 3} {
		if got, want := new(look).try(open, -1), fds[open-1]+1; got != want {
			t.Errorf("try(%d) = %d, want %d", open, got, want)
		}
	}
	for _, open := range []int{0, len(fds)} {
		if got, want := new(look).try(open, -1), numbersEach*open; got != want {
			t.Errorf("try(%d) = %d, want %d", open, got, want)
		}
	}
	if got, want := new(look).try(2, fds[0]), fds[1]+1; got != want {
		t.Errorf("try() without the first = %d, want %d, since that is open too", got, want)
	}
}

func first(a, _ *net.TCPConn) *net.TCPConn { return a }

func contains(all []Reading, c Conn) bool {
	return slices.ContainsFunc(all, func(r Reading) bool { return r.Conn == c })
}

// probes is how sockets of the tests probe.
var probes = Keepalive{Idle: 77 * time.Second, Interval: 7 * time.Second, Probes: 5}

// A connection is reset at once, whatever the other side goes on to send, and no other one
// with its descriptor is, nor one that probes differently.
func TestConn_Reset(t *testing.T) {
	dialed, accepted := connect(t)
	c := Of(descriptor(t, accepted))
	if !contains(All(nil), c) {
		t.Errorf("All(nil) is without %v", c)
	}
	if c.Reset(probes) || c.Reset(Keepalive{}) {
		t.Error("Reset() of a connection that probes differently = true, want false")
	}
	setProbes(t, accepted)
	if !c.Reset(probes) {
		t.Fatal("Reset() = false, want true")
	}
	if _, err := dialed.Read(make([]byte, 1)); err == nil {
		t.Error("Read() by the other side succeeded, want an error")
	}
	if n, err := accepted.Read(make([]byte, 1)); err == nil {
		t.Errorf("Read() = %d bytes, want an error", n)
	}
	if c.Reset(probes) || (Conn{}).Reset(probes) {
		t.Error("Reset() of a connection that is gone = true, want false")
	}
	other, _ := connect(t)
	setProbes(t, other)
	moved, next := Of(descriptor(t, other)), Of(descriptor(t, other))
	moved.remote = netip.MustParseAddrPort("192.0.2.1:1")
	next.inode++ // with the same addresses
	if moved.Reset(probes) || next.Reset(probes) {
		t.Error("Reset() of another connection with the descriptor = true, want false")
	}
	if _, err := other.Write([]byte("x")); err != nil {
		t.Errorf("Write() on the other connection = %v, want nil", err)
	}
}

func setProbes(t *testing.T, c *net.TCPConn) {
	t.Helper()
	err := c.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: probes.Idle, Interval: probes.Interval, Count: probes.Probes,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A connection that has the descriptor and the addresses of one before is another one.
func TestOf_again(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	from := &net.TCPAddr{IP: net.IPv4(127, 77, 77, 77)} // where nobody else takes the port meanwhile
	var before Conn
	for range 2 {
		dialer := net.Dialer{LocalAddr: from}
		d, err := dialer.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := d.(*net.TCPConn)
		now := Of(descriptor(t, c))
		if now == before {
			t.Errorf("Of() = %v twice, want another one", now)
		}
		if err := c.SetLinger(0); err != nil { // so that the port is free at once
			t.Fatal(err)
		}
		before, from = now, c.LocalAddr().(*net.TCPAddr)
		c.Close()
	}
}
