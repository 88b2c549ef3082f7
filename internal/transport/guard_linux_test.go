package transport_test

import (
	"errors"
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

// watched runs a guard on an inbox that is read, and of whose connections a test says which
// belong to peers. At each look the time for it has come.
func watched(t *testing.T, peers map[transport.Conn]uint64) (g *transport.Guard, look func(), at string, in transport.Inbox) {
	t.Helper()
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, at = transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: 1 << 20}, "tcp://127.0.0.1:*")
	g = in.NewGuard()
	now := time.Now()
	return g, func() {
		now = now.Add(time.Second)
		g.Look(now)
		g.Judge(now, func(time.Time) transport.Deliveries {
			var p transport.Packet
			for transporttest.RecvBy(t, in, &p, time.Now()) {
				if _, ok := peers[p.Conn]; ok {
					peers[p.Conn] += p.Wire
				}
			}
			return transport.Deliveries{Bytes: peers, Drained: true}
		})
	}, at, in
}

// A message without end is ended with its connection before it takes much memory.
func TestGuard_unfinished(t *testing.T) {
	g, look, at, _ := watched(t, map[transport.Conn]uint64{})
	r, err := zmtp.Dial(at, transporttest.Identity)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frames []byte
	for range 64 << 10 {
		frames = zmtp.AppendFrame(frames, nil, true)
	}
	runtime.GC()
	before, sent := resident(t), 0
	for end := time.Now().Add(patience); time.Now().Before(end); look() {
		n, err := r.Write(frames)
		if sent += n; err != nil {
			break
		}
	}
	grown := resident(t) - before
	t.Logf("%d connections ended after %d kB on the wire; memory grew by %d kB", g.Cut(), sent>>10, grown>>10)
	if g.Cut() != 1 || !r.Ended(time.Second) {
		t.Errorf("%d connections were ended, want the one with a message that does not end", g.Cut())
	}
	if sent > 32<<20 || grown > 512<<20 {
		t.Errorf("%d bytes were sent and memory grew by %d, want at most 32 MiB and 512 MiB", sent, grown)
	}
}

// Of connections that bring nothing, those of the host that has most of them give way, and the
// oldest of them first.
func TestGuard_strangers(t *testing.T) {
	g, look, at, in := watched(t, map[transport.Conn]uint64{})
	const count = 300
	honest, err := zmtp.DialFrom(netip.MustParseAddr("127.0.0.2"), at, transporttest.Identity)
	if err != nil {
		t.Fatal(err)
	}
	defer honest.Close()
	var all []zmtp.Raw
	for range count {
		r, err := zmtp.DialGreeting(at, "NULL")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		all = append(all, r)
	}
	for limit := time.Now().Add(patience); g.Cut() < count-256 && time.Now().Before(limit); look() {
		runtime.Gosched() // libzmq may not have accepted all of them yet
	}
	if g.Cut() != count-256 {
		t.Errorf("%d of %d connections were ended, want all but 256", g.Cut(), count)
	}
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
	if _, err := honest.Write(zmtp.AppendFrame(nil, []byte("still here"), false)); err != nil {
		t.Fatal(err)
	}
	var p transport.Packet
	if !transporttest.RecvBy(t, in, &p, time.Now().Add(patience)) {
		t.Error("a connection of another host was ended")
	}
}

// What a peer says is counted as read: it goes on for as long as its messages end.
func TestGuard_peer(t *testing.T) {
	peers := map[transport.Conn]uint64{}
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: 1 << 20}, "tcp://127.0.0.1:*")
	g := in.NewGuard()
	m := transporttest.MustDial(t, tr, at, transport.DialOptions{})
	hello := []byte{0xaa, 0xa1, 1, 2, 0, 1}
	transporttest.MustSend(t, m, hello)
	var p transport.Packet
	transporttest.MustRecv(t, in, &p)
	conn := p.Conn
	if conn == (transport.Conn{}) {
		t.Fatal("a HELLO has no connection")
	}
	peers[conn] = p.Wire
	now := time.Now()
	for i := range 40 {
		transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, 1<<20))
		transporttest.MustRecv(t, in, &p)
		peers[conn] += p.Wire
		if i%4 == 0 {
			now = now.Add(time.Second)
			g.Look(now)
			g.Judge(now, func(time.Time) transport.Deliveries { return transport.Deliveries{Bytes: peers, Drained: true} })
			if transport.WantsSources(t, in) {
				t.Fatal("the inbox asks which connection brings each message, though all that came was read")
			}
		}
	}
	if g.Cut() != 0 {
		t.Errorf("%d connections were ended, want none: all messages have ended", g.Cut())
	}
}

// What lies in the inbox whole is no beginning of a message, also if the node begins a round
// without having waited for it.
func TestGuard_unread(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: 1 << 20}, "tcp://127.0.0.1:*")
	g, m := in.NewGuard(), transporttest.MustDial(t, tr, at, transport.DialOptions{})
	transporttest.MustSend(t, m, []byte{0xaa, 0xa1, 1, 2, 0, 1})
	var p transport.Packet
	transporttest.MustRecv(t, in, &p)
	conn, now := p.Conn, time.Now()
	peers := map[transport.Conn]uint64{conn: p.Wire}
	round := func() {
		drained := false
		now = now.Add(time.Second)
		g.Look(now)
		for err := error(nil); err == nil; {
			if err = in.Recv(&p); err == nil {
				peers[conn] += p.Wire
			}
			drained = errors.Is(err, transport.ErrAgain) && !errors.Is(err, transport.ErrNotPolled)
		}
		g.Judge(now, func(time.Time) transport.Deliveries { return transport.Deliveries{Bytes: peers, Drained: drained} })
	}
	in.Wait(time.Now())
	round() // the inbox is empty
	for range 6 {
		before, _ := conn.Count()
		transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, 900<<10))
		for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
			if c, _ := conn.Count(); c.Received >= before.Received+900<<10 {
				break
			}
		}
	}
	round()
	if g.Cut() != 0 {
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
	g, look, at, _ := watched(t, map[transport.Conn]uint64{})
	untilIdle := func(want bool, when string) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patience); transport.IsIdle(g) != want; <-tick.C {
			if look(); time.Now().After(end) {
				t.Fatalf("%s: idle %t, want %t", when, !want, want)
			}
		}
	}
	untilIdle(true, "without connections")
	r, err := zmtp.Dial(at, transporttest.Identity)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	untilIdle(false, "with a new connection")
	untilIdle(true, "with one that is silent")
	if _, err := r.Write(zmtp.AppendFrame(nil, make([]byte, 32<<10), true)); err != nil {
		t.Fatal(err)
	}
	untilIdle(false, "with one that sends")
}
