package transport_test

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
	"github.com/go-zyre/zyre/internal/zmqmsg"
)

// resident is how much memory this process has now.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Skip("no VmRSS")
	return 0
}

// watched is an inbox with a guard whose time to look has come at each look.
type watched struct {
	t     *testing.T
	in    transport.Inbox
	at    string
	g     *transport.Guard
	now   time.Time
	peers map[transport.Conn]bool // whose connections are peers'

	said     func(p *transport.Packet)
	isBehind bool // the inbox is not read
}

func watch(t *testing.T) *watched {
	t.Helper()
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: 1 << 20}, "tcp://127.0.0.1:*")
	return &watched{t: t, in: in, at: at, g: in.Guard(), now: time.Now(), peers: map[transport.Conn]bool{}}
}

// look has the guard look, reads the inbox, and has it judge.
func (w *watched) look() {
	w.g.Look(w.now)
	w.g.Judge(w.now, !w.isBehind && w.read(), maps.Keys(w.peers))
	w.now = w.now.Add(500 * time.Millisecond)
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
	tick := time.NewTicker(5 * time.Millisecond)
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

// A message without end is ended with its connection before it takes much memory.
func TestGuard_unfinished(t *testing.T) {
	w := watch(t)
	r := w.dial("", 1)
	frames := emptyFrames(64 << 10)
	runtime.GC()
	before, sent := resident(t), 0
	for end := time.Now().Add(patience); time.Now().Before(end); w.look() {
		n, err := r.Write(frames)
		if sent += n; err != nil {
			break
		}
	}
	grown := resident(t) - before
	t.Logf("%d connections ended after %d kB on the wire; memory grew by %d kB", w.g.Cut(), sent>>10, grown>>10)
	if w.g.Cut() != 1 || !r.Ended(time.Second) {
		t.Errorf("%d connections were ended, want the one with a message that does not end", w.g.Cut())
	}
	if sent > 32<<20 || grown > 512<<20 {
		t.Errorf("%d bytes were sent and memory grew by %d, want at most 32 MiB and 512 MiB", sent, grown)
	}
}

// Messages of many empty frames earn nothing: their sender may not have more of a message
// without end afterwards, be it a peer or not.
func TestGuard_credit(t *testing.T) {
	for _, isPeer := range []bool{false, true} {
		w := watch(t)
		r := w.dial("", 1)
		if isPeer {
			w.enter(r)
		}
		message := zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.PingHeader, true), nil, true)
		message = zmtp.AppendFrame(append(message, emptyFrames(8000)...), nil, false)
		heard := 0
		w.said = func(*transport.Packet) { heard++ }
		for i := range 60 { // 1 MB
			mustWrite(t, r, message)
			w.lookUntil("message", func() bool { return heard > i })
		}
		unfinished := zmtp.AppendFrame(nil, make([]byte, 512<<10), true)
		for range 6 { // 3 MB
			if _, err := r.Write(unfinished); err != nil {
				break
			}
		}
		w.lookUntil("the connection is ended", func() bool { return w.g.Cut() == 1 })
	}
}

// Of connections that bring nothing, those of the host that has most of them give way, and the
// oldest of them first.
func TestGuard_strangers(t *testing.T) {
	w := watch(t)
	const count = 300
	honest := w.dial("127.0.0.2", 1)
	var all []zmtp.Raw
	for range count {
		r, err := zmtp.DialGreeting(w.at, "NULL")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		all = append(all, r)
	}
	w.isBehind = true // so that they need not say HELLO in time
	w.lookUntil("all but 256 are ended", func() bool { return w.g.Cut() >= count-256 })
	ended := map[zmtp.Raw]bool{}
	for limit := time.Now().Add(patience); len(ended) < count-256 && time.Now().Before(limit); {
		for _, r := range all {
			if r.Ended(time.Millisecond) {
				ended[r] = true
			}
		}
	}
	if n := len(ended); n != count-256 {
		t.Errorf("%d of %d connections ended, want %d", n, count, count-256)
	}
	mustWrite(t, honest, zmtp.AppendFrame(nil, []byte("still here"), false))
	var p transport.Packet
	if !transporttest.RecvBy(t, w.in, &p, time.Now().Add(patience)) {
		t.Error("a connection of another host was ended")
	}
}

// Of the strangers of several hosts those give way that are most at one host, the oldest first,
// and as quickly if there are very many.
func TestGuard_excess(t *testing.T) {
	hosts := func(counts ...int) (all []int) { // in turn, for as long as a host has some
		for i := range slices.Max(counts) {
			for h, n := range counts {
				if i < n {
					all = append(all, h)
				}
			}
		}
		return all
	}
	for _, c := range []struct {
		name   string
		counts []int // of strangers at each host
		want   []int // how many of each give way
	}{
		{"few", []int{200, 100}, []int{0, 0}},
		{"many of one host", []int{300, 100}, []int{44, 0}},
		{"many in all", []int{250, 250, 250, 250, 100}, []int{19, 19, 19, 19, 0}},
		{"both", []int{1000, 256, 256, 256, 256, 10}, []int{798, 54, 53, 53, 52, 0}},
	} {
		all := hosts(c.counts...)
		gone := map[int]bool{}
		for _, i := range transport.ExcessOf(all) {
			gone[i] = true
		}
		got, stays := make([]int, len(c.counts)), map[int]bool{}
		for i, h := range all {
			switch {
			case !gone[i]:
				stays[h] = true
			case stays[h]:
				t.Errorf("%s: number %d gives way, and an older one of its host does not", c.name, i)
			default:
				got[h]++
			}
		}
		if c.name != "both" && !slices.Equal(got, c.want) || len(all)-len(gone) > 1024 {
			t.Errorf("%s: of %v strangers %v give way, want %v", c.name, c.counts, got, c.want)
		}
	}
	many := make([]int, 12_000)
	began := time.Now()
	for _, perHost := range []int{len(many), 8} {
		for i := range many {
			many[i] = i / perHost
		}
		transport.ExcessOf(many)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v for %d strangers, want a moment", took, len(many))
	}
}

// A stranger that brings nothing has as long as a handshake. A peer may be silent, and one of
// whose host a peer was heard on a connection that is gone may be that peer.
func TestGuard_mute(t *testing.T) {
	w := watch(t)
	peer, lost := w.dial("127.0.0.3", 2), w.dial("127.0.0.4", 3)
	w.enter(peer)
	w.enter(lost)
	lost.Close()
	w.lookUntil("one is gone", func() bool { _, n := transport.Held(w.g); return n == 1 })
	w.dial("127.0.0.2", 1)
	again := w.dial("127.0.0.4", 3)
	w.lookUntil("the connections are seen", func() bool { _, n := transport.Held(w.g); return n == 3 })
	until := w.now.Add(9 * time.Second)
	w.lookUntil("9 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 0 {
		t.Fatal("a connection was ended within 9 s")
	}
	until = w.now.Add(20 * time.Second)
	w.lookUntil("20 s more", func() bool { return w.now.After(until) })
	if w.g.Cut() != 1 {
		t.Errorf("%d connections were ended, want that of the stranger", w.g.Cut())
	}
	mustWrite(t, peer, zmtp.AppendFrame(nil, hello, false))
	mustWrite(t, again, zmtp.AppendFrame(nil, hello, false))
	heard := 0
	w.said = func(*transport.Packet) { heard++ }
	w.lookUntil("both are heard", func() bool { return heard == 2 })
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

// All connections together take no more memory than they may, whether or not the inbox is
// read, and however little each of them holds. A peer's message of the largest size is not
// counted.
func TestGuard_memory(t *testing.T) {
	const limit = 48 << 20
	for _, c := range []struct {
		name     string
		isBehind bool
		conns    int
		arePeers bool
		frames   int // on each, empty
	}{
		{"strangers, each with little", false, 12, false, 400_000},
		{"strangers, while the inbox is not read", true, 2, false, 3_000_000},
		{"peers", false, 6, true, 700_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t)
			transport.SetMaxHeld(w.g, limit)
			honest := w.dial("127.0.0.2", 99)
			w.enter(honest)
			var raw []zmtp.Raw
			for i := range c.conns {
				r := w.dial("127.0.0.3", byte(i))
				if raw = append(raw, r); c.arePeers {
					w.enter(r)
				}
			}
			w.look()
			mustWrite(t, honest, zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 300<<10), true))
			before := zmqmsg.Memory()
			w.isBehind = c.isBehind
			chunk := emptyFrames(20_000)
			for sent := 0; sent < c.frames; sent += 20_000 {
				for _, r := range raw {
					_, _ = r.Write(chunk) // until it is ended
				}
				w.look()
			}
			w.lookUntil("some are ended", func() bool { return w.g.Cut() > 0 })
			w.lookUntil("memory is given back", func() bool { return zmqmsg.Memory()-before < limit+limit/4 })
			w.isBehind = false
			mustWrite(t, honest, zmtp.AppendFrame(nil, nil, false))
			heard := false
			w.said = func(p *transport.Packet) { heard = heard || w.peers[p.Conn] && len(p.Frames) == 2 }
			w.lookUntil("the honest peer is heard", func() bool { return heard })
			t.Logf("%d of %d connections ended", w.g.Cut(), c.conns)
			if w.g.Cut() == 0 || w.g.Cut() > uint64(c.conns) {
				t.Errorf("%d connections were ended, want some of the %d", w.g.Cut(), c.conns)
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
