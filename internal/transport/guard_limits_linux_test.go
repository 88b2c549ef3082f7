package transport_test

import (
	"bytes"
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
		for range 6 { // 1 MB
			heard = 0
			mustWrite(t, r, bytes.Repeat(message, 10))
			w.lookUntil("messages", func() bool { return heard == 10 })
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
		{"both", []int{1000, 256, 256, 256, 256, 10}, []int{797, 54, 53, 53, 53, 0}},
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
		if !slices.Equal(got, c.want) {
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
	until := w.now.Add(29 * time.Second)
	w.lookUntil("29 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 0 {
		t.Fatal("a connection was ended within 29 s")
	}
	until = w.now.Add(10 * time.Second)
	w.lookUntil("10 s more", func() bool { return w.now.After(until) })
	if w.g.Cut() != 1 {
		t.Errorf("%d connections were ended, want that of the stranger", w.g.Cut())
	}
	mustWrite(t, peer, zmtp.AppendFrame(nil, hello, false))
	mustWrite(t, again, zmtp.AppendFrame(nil, hello, false))
	heard := 0
	w.said = func(*transport.Packet) { heard++ }
	w.lookUntil("both are heard", func() bool { return heard == 2 })
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
