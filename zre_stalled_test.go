package zyre

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// shoutTo has the application shout to the peer's group, and returns what becomes of it.
func (b *zreBench) shoutTo(bytes int) *outcome {
	o := newOutcome()
	b.z.shout(b.now, &message{group: "G", payload: make([]byte, bytes), receipt: o.receipt})
	return o
}

// A peer that sends, and takes nothing, exits after the stalled timeout if something was
// shouted to it. One that takes anything at all stays.
func TestStalled_exits(t *testing.T) {
	whisper := func(b *zreBench) { b.send() }
	shout := func(b *zreBench) { b.shoutTo(1) }
	quiet := func(*zreBench) {}
	for _, c := range []struct {
		name  string
		send  func(b *zreBench)
		each  func(b *zreBench) // once in each second
		exits bool
	}{
		{"nothing is read", shout, quiet, true},
		{"nothing is read, and pings are answered", shout, func(b *zreBench) { b.hearID(PingOkID) }, true},
		{"only whispers wait", whisper, quiet, false},
		{"bytes go, and more wait", func(b *zreBench) { b.flow(bytesGo); shout(b) }, quiet, false},
		{"bytes come", func(b *zreBench) { b.flow(bytesCome); shout(b) }, quiet, true},
		{"one message goes", shout, func(b *zreBench) {
			b.port.sendErr = nil
			b.z.flushBacklogs(b.now)
			b.port.sendErr = transport.ErrAgain
			b.shoutTo(1)
		}, false},
		{"this node does not read", shout, func(b *zreBench) { b.z.inboxPaused(b.now, 1000, 0) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := fullBench(t)
			c.send(b)
			for start := b.now; b.isEntered() && b.now.Sub(start) < 2*defaultStalled; {
				c.each(b)
				if b.now.Sub(start) == defaultStalled-time.Second && !b.isEntered() {
					t.Fatalf("exits after %v, want %v", b.now.Sub(start), defaultStalled)
				}
				b.pass(time.Second)
				if b.isEntered() {
					b.hearID(PingID)
				}
			}
			if b.isEntered() == c.exits {
				t.Fatalf("exits: %t, want %t", !b.isEntered(), c.exits)
			}
			if c.exits && (!slices.Equal(b.port.reasons, []string{ReasonStalled}) || b.z.counters.stalled != 1 || b.z.stalledBytes != 0) {
				t.Errorf("reasons %q, counted %d, %d bytes held; want %q, 1, 0", b.port.reasons, b.z.counters.stalled, b.z.stalledBytes, ReasonStalled)
			}
		})
	}
}

// Only what a peer takes of the messages counts, not the answers to its own pings that go past
// them, though it reads these.
func TestStalled_readsAnswersAlone(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, more := range []uint64{0, 100} { // bytes in a second
			b := fullBench(t)
			b.port.sendErr = nil
			if secure {
				b.secure()
			}
			b.peer().window.limit = 1
			b.shoutTo(1)
			b.shoutTo(1)
			confirmed, size := uint64(1000), uint64(pingWireSize)
			if secure {
				size = securePingWireSize
			}
			b.port.moves = func() transport.Moved { return transport.Moved{Sent: confirmed, Waiting: true} }
			for start := b.now; b.isEntered() && b.now.Sub(start) < 2*defaultStalled; {
				answers := count(b.port.sent, "PING-OK")
				for range 100 * int(1+b.now.Unix()%3) {
					packet := b.packet(NewZreMsg(PingID), 0)
					packet.UserID = b.peer().key
					b.z.receive(b.now, &packet)
				}
				if count(b.port.sent, "PING-OK") == answers {
					t.Fatal("its pings are not answered")
				}
				confirmed += uint64(count(b.port.sent, "PING-OK")-answers)*size + more
				b.pass(time.Second)
			}
			if got, want := b.isEntered(), more > 0; got != want {
				t.Errorf("secure %t, %d bytes in a second besides: stays %t, want %t", secure, more, got, want)
			}
		}
	}
}

// Shouts do not wait for a stalled peer, until what waits for it reaches the queue limit,
// and wait again once it takes something. It gets all of them.
func TestStalled_othersGoOn(t *testing.T) {
	b := fullBench(t)
	first := b.shoutTo(1)
	b.pass(2 * time.Second)
	if err, done := settled(first); err != nil || !done {
		t.Errorf("receipt of the shout that waited = %v, %t; want nil, true", err, done)
	}
	sent := 1
	for ; len(b.z.blockedGroups) == 0; sent++ {
		if sent > minQueueLimit/1024 {
			t.Fatalf("%d shouts of 1 KiB did not wait", sent)
		}
		if err, done := settled(b.shoutTo(1024)); err != nil || !done {
			t.Fatalf("receipt of a shout = %v, %t; want nil, true", err, done)
		}
	}
	b.port.forget()
	b.port.sendErr = nil
	b.z.advance(b.now)
	if got := len(b.port.sent); got != sent || b.z.stalledBytes != 0 {
		t.Errorf("sent %d, %d bytes held; want %d, 0", got, b.z.stalledBytes, sent)
	}
	if want := []string{"peer free", "group free"}; !slices.Equal(b.port.gates, want) {
		t.Errorf("gates = %q, want %q", b.port.gates, want)
	}
	b.port.sendErr = transport.ErrAgain
	b.shoutTo(1)
	if len(b.z.blockedGroups) != 1 {
		t.Error("a shout did not wait for a peer that has taken something, want it to")
	}
}

// More messages than may wait for other peers wait for a stalled one, within its bytes.
func TestStalled_manyMessages(t *testing.T) {
	b := fullBench(t)
	b.z.backlogLimit = defaultQueueLimit
	b.shoutTo(1)
	b.pass(2 * time.Second)
	for range 2 * maxBacklog {
		b.shoutTo(1)
	}
	if b.pass(0); !b.isEntered() {
		t.Error("the peer is gone, want it to stay")
	}
	if err, _ := settled(b.send()); errors.Is(err, ErrPushedBack) {
		t.Error("a whisper is refused, want it to wait")
	}
}

// A peer that has entered and takes no shouts exits in time, though it is under a probe all the
// while, which goes on as long as bytes come from it.
func TestStalled_underProbe(t *testing.T) {
	b := fullBench(t)
	b.flow(bytesCome)
	b.shoutTo(1)
	b.z.startProbe(b.now, b.peer(), probe{kind: probeEndpoint})
	b.pass(defaultStalled + time.Second)
	if !slices.Equal(b.port.reasons, []string{ReasonStalled}) {
		t.Errorf("reasons to exit %q, want %q", b.port.reasons, ReasonStalled)
	}
}

// Where a peer has stalled until it exited, the next one that stalls exits at once when what
// waits has reached the limit.
func TestStalled_hostIsRemembered(t *testing.T) {
	for name, since := range map[string]time.Duration{"of late": time.Minute, "long ago": stalledMemory} {
		b := fullBench(t)
		b.z.noteStalledHost(b.now.Add(-since), b.peer())
		b.shoutTo(minQueueLimit / 2)
		b.pass(2 * time.Second)
		if !b.isEntered() {
			t.Fatalf("%s: exits below the limit, want it to stay", name)
		}
		b.shoutTo(minQueueLimit)
		b.pass(2 * time.Second)
		if got, want := b.isEntered(), since == stalledMemory; got != want {
			t.Errorf("%s: stays: %t, want %t", name, got, want)
		}
	}
}

func TestStalled_hostsAreBounded(t *testing.T) {
	b := newZREBench(t)
	for i := range 2 * maxStalledHosts {
		b.z.noteStalledHost(b.now, &peer{from: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})})
	}
	if got := len(b.z.stalledHosts); got != maxStalledHosts {
		t.Errorf("%d hosts remembered, want %d", got, maxStalledHosts)
	}
	b.z.noteStalledHost(b.now.Add(stalledMemory), &peer{from: netip.MustParseAddr("10.1.0.1")})
	if got := len(b.z.stalledHosts); got != 1 {
		t.Errorf("%d hosts remembered after a while, want 1", got)
	}
}

// Whether a peer takes anything is judged by a look since: an old one says nothing.
func TestStalled_oldLook(t *testing.T) {
	for _, takes := range []bool{false, true} {
		b := fullBench(t)
		look := transport.Moved{Sent: 7, Waiting: true, At: b.now}
		b.port.moves = func() transport.Moved { return look }
		o := b.shoutTo(1)
		b.pass(2 * time.Second)
		if _, done := settled(o); done {
			t.Fatal("the shout waits no more, though nobody has looked")
		}
		if look.At = b.now; takes {
			look.Sent++
		}
		b.pass(time.Second)
		if _, done := settled(o); done == takes {
			t.Errorf("takes something %t: the shout waits no more %t", takes, done)
		}
	}
}
