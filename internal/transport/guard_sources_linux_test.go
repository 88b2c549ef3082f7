package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/sandbox"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
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
		other.Guard().Source(fd, nil, false)
		if got := other.Guard().Conn(); got != p.Conn {
			t.Errorf("connection of a message = %v, want %v", got, p.Conn)
		}
		one.Guard().Source(fd, nil, false)
		if got := one.Guard().Conn(); got != (transport.Conn{}) {
			t.Errorf("connection of a message to another inbox = %v, want none", got)
		}
		return
	}
	t.Errorf("no descriptor below %d is that of %v", descriptors, p.Conn)
}

// What a peer says is counted as read: it goes on for as long as its messages end.
func TestGuard_peer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		tr := transporttest.NewZMQ(t)
		tr.DisableInproc()
		listen, dial := transport.ListenOptions{MaxMessage: 1 << 20}, transport.DialOptions{}
		if secure {
			public, secret := transporttest.NewKeys(t)
			listen.PublicKey, listen.SecretKey = public, secret
			dial = transport.DialOptions{ServerKey: public, PublicKey: public, SecretKey: secret}
		}
		in, at := transporttest.MustListen(t, tr, listen, "tcp://127.0.0.1:*")
		w := &watched{t: t, in: in, at: at, g: in.Guard(), now: time.Now()}
		m := transporttest.MustDial(t, tr, at, dial)
		transporttest.MustSend(t, m, hello)
		heard := 0
		w.said = func(p *transport.Packet) {
			heard++
			w.peers = map[transport.Conn]bool{p.Conn: true}
		}
		for i := range 40 {
			// Of the sizes at which a frame comes to take more for its head, and large ones.
			transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, 200+i*3))
			transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, 1000<<10))
			w.lookUntil("two messages", func() bool { return heard == 2*i+3 })
		}
		var held uint64
		w.lookUntil("all counted", func() bool { held, _ = transport.Held(w.g); return held == 0 })
		if w.g.Cut() != 0 {
			t.Errorf("secure %t: %d connections were ended, want none: all messages have ended", secure, w.g.Cut())
		}
	}
}

// A peer that libzmq has connected again, without a HELLO, may send a message of the largest
// size, also as the first one.
func TestGuard_reconnected(t *testing.T) {
	for _, pings := range []bool{true, false} {
		w := watch(t)
		r := w.dial("127.0.0.2", 1)
		w.enter(r)
		r.Close()
		r = w.dial("127.0.0.2", 1)
		heard := 0
		w.said = func(p *transport.Packet) {
			heard++
			w.peers = map[transport.Conn]bool{p.Conn: true}
		}
		if pings {
			mustWrite(t, r, zmtp.AppendFrame(nil, transporttest.PingHeader, false))
			w.lookUntil("PING", func() bool { return heard == 1 })
			heard = 0
		}
		frame := zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 1<<20), true)
		mustWrite(t, r, frame)
		until := w.now.Add(20 * time.Second)
		w.lookUntil("20 s", func() bool { return w.now.After(until) })
		mustWrite(t, r, zmtp.AppendFrame(nil, make([]byte, 1<<10), false))
		w.lookUntil("the message", func() bool { return heard == 1 })
		if w.g.Cut() != 0 {
			t.Errorf("pings %t: the connection of a peer was ended", pings)
		}
	}
}

// For each peer whose connection is gone one of its host may be its next, and no more.
func TestGuard_oneForEachGone(t *testing.T) {
	w := watch(t)
	r := w.dial("127.0.0.2", 1)
	w.enter(r)
	r.Close()
	unfinished := zmtp.AppendFrame(nil, transporttest.WhisperHeader, true)
	for range 3 {
		unfinished = zmtp.AppendFrame(unfinished, make([]byte, 1<<19), true)
	}
	for i := range byte(4) {
		r = w.dial("127.0.0.2", 2+i)
		mustWrite(t, r, unfinished)
	}
	w.lookUntil("all but one end", func() bool { return w.g.Cut() == 3 })
	until := w.now.Add(20 * time.Second)
	w.lookUntil("20 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 3 {
		t.Errorf("%d connections were ended, want 3 of 4", w.g.Cut())
	}
}

// While nothing can be seen, nothing is forgotten of what was read.
func TestGuard_blind(t *testing.T) {
	w := watch(t)
	r := w.dial("", 1)
	w.enter(r)
	heard := 0
	w.said = func(*transport.Packet) { heard++ }
	for range 5 {
		mustWrite(t, r, zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 900<<10), false))
	}
	w.lookUntil("all messages", func() bool { return heard == 5 })
	transport.SetBlind(w.g, true)
	for range 20 {
		w.look()
	}
	transport.SetBlind(w.g, false)
	until := w.now.Add(10 * time.Second)
	w.lookUntil("10 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 0 {
		t.Error("the connection of a peer was ended, whose messages had come")
	}
}

// A guard ends what holds too much also while the process has no descriptor left. It has a process
// of its own, which the test takes them from.
func TestGuard_noDescriptors(t *testing.T) {
	if !sandbox.InChild(t) {
		return
	}
	lowerDescriptorLimit(t, 128)
	w := watch(t)
	r, peer := w.dial("127.0.0.2", 1), w.dial("", 2)
	w.enter(peer)
	release := holdDescriptors(t, 0)
	defer release()
	if transport.ResidentMemory() == 0 {
		t.Error("the memory of the process cannot be told, want it")
	}
	_, _ = r.Write(emptyFrames(1 << 20)) // or until it is ended
	w.lookUntil("the stranger's end", func() bool { return w.g.Cut() == 1 })
	release()
	if !r.Ended(patience) {
		t.Error("the stranger's connection is open, want it ended")
	}
	heard := false
	w.said = func(*transport.Packet) { heard = true }
	mustWrite(t, peer, zmtp.AppendFrame(nil, hello, false))
	w.lookUntil("the peer is heard", func() bool { return heard })
}

// A descriptor is asked about after each look, for each askedBytes and for HELLO: the connection that
// it was may have ended since.
func TestGuard_descriptorUsedAgain(t *testing.T) {
	for name, do := range map[string]func(w *watched, fd int){
		"look": func(w *watched, fd int) {
			w.look() // is left out
			w.g.Source(fd, transporttest.PingHeader, false)
		},
		"bytes": func(w *watched, fd int) {
			w.g.Source(fd, transporttest.PingHeader, false)
			w.g.Read(64 << 10)
		},
		"HELLO": func(w *watched, fd int) { w.g.Source(fd, hello, false) },
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t)
			r := w.dial("", 1)
			conn := w.enter(r)
			for range 4 {
				w.look() // until nothing is new
			}
			w.g.Source(conn.FD(), hello, false) // as of now
			r.Close()
			w.waitUntil("its end", func() bool { return !conn.IsCurrent() })
			if do(w, conn.FD()); w.g.Conn() == conn {
				t.Error("a message is said to have come on a connection that had ended before")
			}
		})
	}
}

// waitUntil reads nothing meanwhile.
func (w *watched) waitUntil(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(end) {
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

// fill sends so many bytes, whole frames or not, and waits until libzmq has taken all that was sent.
func (w *watched) fill(r zmtp.Raw, b []byte) {
	w.t.Helper()
	mustWrite(w.t, r, b)
	w.waitUntil("arrival", func() bool {
		for _, c := range tcpinfo.All(nil) {
			if c.Remote() == netip.MustParseAddrPort(r.LocalAddr().String()) {
				return c.Received >= uint64(len(b)) && c.Unread() == 0
			}
		}
		return false
	})
}

// fillPings has libzmq hold more PINGs than are in a batch, of which one was read.
func (w *watched) fillPings(r zmtp.Raw) (conn transport.Conn) {
	w.t.Helper()
	var pings []byte
	for range 90 {
		pings = zmtp.AppendFrame(pings, transporttest.PingHeader, false)
	}
	w.fill(r, pings)
	var p transport.Packet
	w.waitUntil("PING", func() bool {
		w.in.Wait(time.Now())
		return w.in.Recv(&p) == nil
	})
	return p.Conn
}

const remadeMessage = 4 << 20 // the largest message

// whisper is a message of the largest size.
func whisper() []byte {
	return zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, remadeMessage), false)
}

// What comes on a second connection under the same routing id does not count as read on the first,
// even if both are read in one batch: libzmq leaves the first open, and it may hold something.
func TestGuard_sameIDInBatch(t *testing.T) {
	w := watchFor(t, remadeMessage)
	a := w.dial("127.0.0.2", 7)
	w.look()
	conn := w.fillPings(a)
	w.fill(w.dial("127.0.0.2", 7), whisper())
	w.look()
	// Before the next look, which would see that it cannot have brought so much.
	w.fill(a, zmtp.AppendFrame(nil, make([]byte, remadeMessage-1000), false))
	until := w.now.Add(3 * time.Second) // later it ends because it does not move
	w.lookUntil("3 s", func() bool { return w.now.After(until) })
	if count, exists := conn.Count(); exists {
		held, _ := transport.Held(w.g)
		t.Errorf("the first connection has brought %d bytes, and nobody misses them: all hold %d", count.Received, held)
	}
}

// A peer whose connection was made again is heard on the new one, whoever has got the descriptor of
// the old one, and whatever was still to be read of that.
func TestGuard_remade(t *testing.T) {
	for name, inBatch := range map[string]bool{"in one batch": true, "with its descriptor": false} {
		t.Run(name, func(t *testing.T) {
			w := watchFor(t, remadeMessage)
			a := w.dial("127.0.0.2", 7)
			w.enter(a)
			conn := w.fillPings(a)
			if !inBatch {
				w.read()
			}
			a.Close()
			w.waitUntil("its end", func() bool { return !conn.IsCurrent() })
			if inBatch {
				w.dial("127.0.0.3", 9) // gets its descriptor
			}
			b := w.dial("127.0.0.2", 7)
			w.fill(b, whisper())
			heard := false
			w.said = func(p *transport.Packet) {
				if p.Conn.IsKnown() {
					w.peers = map[transport.Conn]bool{p.Conn: true}
				}
				heard = heard || len(p.Frames) > 0
			}
			w.waitUntil("the message", func() bool {
				w.in.Wait(time.Now())
				w.read()
				return heard
			})
			w.fill(b, whisper()[:remadeMessage]) // the next one is under way
			until := w.now.Add(5 * time.Second)
			w.lookUntil("5 s", func() bool { return w.now.After(until) })
			if w.g.Cut() != 0 {
				t.Error("the connection of a peer was ended")
			}
		})
	}
}

// A port that the socket has left is somebody else's.
func TestGuard_leftPort(t *testing.T) {
	w := watch(t)
	if err := w.in.Unbind(w.at); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(w.at, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, c)
		}
		ended <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	until := w.now.Add(20 * time.Second)
	w.lookUntil("20 s", func() bool { return w.now.After(until) })
	if _, n := transport.Held(w.g); n != 0 || w.g.Cut() != 0 {
		t.Errorf("%d connections are guarded, and %d were ended; want none", n, w.g.Cut())
	}
	c.Close()
	if err := <-ended; err != nil {
		t.Errorf("the connection of another listener: %v", err)
	}
}

// All frames of a message count that is not read at once.
func TestGuard_partial(t *testing.T) {
	w := watch(t)
	r := w.dial("", 1)
	w.enter(r)
	message := zmtp.AppendFrame(nil, transporttest.WhisperHeader, true)
	for range transport.MaxFrames - 1 {
		message = zmtp.AppendFrame(message, make([]byte, 100), true)
	}
	mustWrite(t, r, zmtp.AppendFrame(message, nil, false))
	var p transport.Packet
	for err := transport.ErrAgain; err != nil; {
		w.isBehind = true
		w.look() // also in the middle
		if err = w.in.Recv(&p); err != nil && !errors.Is(err, transport.ErrAgain) {
			t.Fatal(err)
		}
	}
	if len(p.Frames) != transport.MaxFrames {
		t.Fatalf("%d frames, want %d", len(p.Frames), transport.MaxFrames)
	}
	w.lookUntil("all of the message counts as read", func() bool { held, _ := transport.Held(w.g); return held == 0 })
}

// A connection under a routing id that is too long ends with its first message, also if it sends
// on; that of another stranger does not.
func TestGuard_longIdentity(t *testing.T) {
	w := watch(t)
	other := w.dial("127.0.0.2", 1)
	mustWrite(t, other, zmtp.AppendFrame(nil, hello, false))
	for i, size := range []int{256, 100 << 10} {
		r, err := zmtp.Dial(w.at, longID(size))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		mustWrite(t, r, bytes.Repeat(zmtp.AppendFrame(nil, transporttest.PingHeader, false), 10))
		w.lookUntil("its end", func() bool { return w.g.Cut() == uint64(i)+1 })
		if !r.Ended(patience) {
			t.Errorf("the connection with an id of %d bytes is still there", size)
		}
	}
	w.lookUntil("both are gone", func() bool { _, n := transport.Held(w.g); return n == 1 })
	if w.g.Cut() != 2 {
		t.Errorf("%d connections were ended, want 2", w.g.Cut())
	}
}

// longID is a routing id of a size that libzmq takes: it does not begin with 0.
func longID(size int) []byte { return bytes.Repeat([]byte{2}, size) }

// What was said under such a routing id may be read when somebody else's connection has the
// descriptor.
func TestGuard_longIdentityLate(t *testing.T) {
	w := watch(t)
	peer, stranger := w.dial("127.0.0.2", 1), w.dial("127.0.0.3", 2)
	conn := w.enter(peer)
	conns := map[transport.Conn]bool{}
	w.said = func(p *transport.Packet) { conns[p.Conn] = true }
	mustWrite(t, stranger, zmtp.AppendFrame(nil, hello, false))
	w.lookUntil("HELLO", func() bool { return len(conns) == 1 })
	for c := range conns {
		w.g.Refuse(c.FD(), 100<<10) // more than has come on it
	}
	w.g.Refuse(conn.FD(), 1) // less, and it is a peer's
	w.look()
	if w.g.Cut() != 0 {
		t.Errorf("%d connections were ended, want none", w.g.Cut())
	}
	for c := range conns {
		w.g.Refuse(c.FD(), 1)
	}
	if w.look(); w.g.Cut() != 1 || !stranger.Ended(patience) {
		t.Errorf("%d connections were ended, want the stranger's", w.g.Cut())
	}
}
