package transport_test

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// watched is an inbox with a guard whose time to look has come at each look.
type watched struct {
	t     *testing.T
	in    transport.Inbox
	at    string
	g     *transport.Guard
	now   time.Time
	peers map[transport.Conn]bool // whose connections are peers'
	old   []netip.Addr            // hosts of peers that speak ZMTP 2

	said     func(p *transport.Packet)
	isBehind bool // the inbox is not read
}

func watch(t *testing.T) *watched { t.Helper(); return watchFor(t, 1<<20) }

// watchFor watches an inbox that takes messages of up to so many bytes.
func watchFor(t *testing.T, maxMessage int) *watched {
	t.Helper()
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: maxMessage}, "tcp://127.0.0.1:*")
	return &watched{t: t, in: in, at: at, g: in.Guard(), now: time.Now(), peers: map[transport.Conn]bool{}}
}

// look has the guard look, reads the inbox, and has it judge.
func (w *watched) look() {
	w.g.Look(w.now)
	w.g.Judge(w.now, !w.isBehind && w.read(), w.heard)
	w.now = w.now.Add(260 * time.Millisecond)
}

// heard lists where peers are heard.
func (w *watched) heard(yield func(transport.Heard) bool) {
	for c := range w.peers {
		if !yield(transport.Heard{Conn: c}) {
			return
		}
	}
	for _, host := range w.old {
		if !yield(transport.Heard{Host: host}) {
			return
		}
	}
}

// read reads the inbox without waiting, and reports whether that shows that nothing is left.
func (w *watched) read() (drained bool) {
	var p transport.Packet
	for {
		switch err := w.in.Recv(&p); {
		case errors.Is(err, transport.ErrPartial):
		case errors.Is(err, transport.ErrNotPolled):
			return false
		case errors.Is(err, transport.ErrAgain):
			return true
		case err != nil:
			w.t.Fatal(err)
		case w.said != nil:
			w.said(&p)
		}
	}
}

// lookUntil looks until something holds, and fails the test if it does not in time.
func (w *watched) lookUntil(what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if w.look(); time.Now().After(end) {
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

// dial connects from an address of this host; any if it is empty.
func (w *watched) dial(from string, identity byte) zmtp.Raw {
	w.t.Helper()
	address, _ := netip.ParseAddr(from)
	r, err := zmtp.DialFrom(address, w.at, []byte{1, identity})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { r.Close() })
	return r
}

// enter sends a HELLO, from which on the connection is a peer's.
func (w *watched) enter(r zmtp.Raw) (conn transport.Conn) {
	w.t.Helper()
	w.said = func(p *transport.Packet) { conn = p.Conn }
	mustWrite(w.t, r, zmtp.AppendFrame(nil, hello, false))
	w.lookUntil("HELLO", func() bool { return conn != transport.Conn{} })
	w.said = nil
	w.peers[conn] = true
	return conn
}

var hello = []byte{0xaa, 0xa1, 1, 2, 0, 1}

func mustWrite(t *testing.T, r zmtp.Raw, b []byte) {
	t.Helper()
	if _, err := r.Write(b); err != nil {
		t.Fatal(err)
	}
}

// emptyFrames are frames of a message that goes on after them.
func emptyFrames(count int) (frames []byte) {
	for range count {
		frames = zmtp.AppendFrame(frames, nil, true)
	}
	return frames
}

// What lies in the inbox whole is no beginning of a message, also if the node begins a round
// without having waited for it.
func TestGuard_unread(t *testing.T) {
	w := watch(t)
	r := w.dial("", 1)
	conn := w.enter(r)
	w.in.Wait(time.Now())
	w.look() // the inbox is empty
	for range 6 {
		before, _ := conn.Count()
		mustWrite(t, r, zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 900<<10), false))
		for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
			if c, _ := conn.Count(); c.Received >= before.Received+900<<10 {
				break
			}
		}
	}
	w.look()
	if w.g.Cut() != 0 {
		t.Error("the connection of a peer was ended, whose messages had come")
	}
}

// Where nothing happens the guard leaves out looks, unless the process comes to need more
// memory.
func TestGuard_idle(t *testing.T) {
	const mebi = 1 << 20
	for _, c := range []struct {
		idle  bool
		peaks []int // of memory, at one look after another
		want  []bool
	}{
		{false, []int{50 * mebi, 50 * mebi}, []bool{true, true}},
		{true, []int{50 * mebi, 50 * mebi, 60 * mebi, 60 * mebi}, []bool{false, false, false, true}},
		{true, []int{50 * mebi, 66 * mebi}, []bool{false, true}},
	} {
		if got := transport.DueLooks(50*mebi, c.idle, c.peaks); !slices.Equal(got, c.want) {
			t.Errorf("idle %t, memory %v: looks %v, want %v", c.idle, c.peaks, got, c.want)
		}
	}
	w := watch(t)
	idle := func(want bool) func() bool { return func() bool { return transport.IsIdle(w.g) == want } }
	w.lookUntil("idle without connections", idle(true))
	r := w.dial("", 1)
	w.lookUntil("not idle with a stranger", idle(false))
	w.enter(r)
	w.lookUntil("idle with a peer that is silent", idle(true))
	mustWrite(t, r, zmtp.AppendFrame(nil, make([]byte, 32<<10), true))
	w.lookUntil("not idle with one that sends", idle(false))
}

// A peer that speaks ZMTP 2, of which libzmq tells no connection, may send as much as others. What
// somebody of another host does not finish does not count for it.
func TestGuard_oldPeer(t *testing.T) {
	w := watch(t)
	messages := 0
	w.said = func(*transport.Packet) { messages++ }
	r, err := zmtp.DialOld(w.at, []byte("\x01old"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustWrite(t, r, zmtp.AppendFrame(nil, hello, false))
	w.lookUntil("HELLO", func() bool { return messages == 1 })
	w.old = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	const count = 60
	whisper := zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 100<<10), false)
	for n := range count {
		mustWrite(t, r, whisper)
		w.lookUntil("whisper", func() bool { return messages == n+2 })
	}
	if w.g.Cut() != 0 {
		t.Fatalf("%d connections were ended, want none", w.g.Cut())
	}
	stranger, begin := w.dial("127.0.0.2", 1), zmtp.AppendFrame(nil, make([]byte, 64<<10), true)
	for range 20 { // of one message
		mustWrite(t, stranger, begin)
	}
	w.lookUntil("the stranger's end", func() bool { return w.g.Cut() == 1 })
	mustWrite(t, r, whisper)
	w.lookUntil("one more whisper", func() bool { return messages == count+2 })
}
