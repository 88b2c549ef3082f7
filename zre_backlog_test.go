package zyre

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// fullBench is a bench whose peer has entered and takes nothing more.
func fullBench(t *testing.T) *zreBench {
	t.Helper()
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	b.hearID(JoinID)
	b.port.forget()
	b.port.sendErr = transport.ErrAgain
	return b
}

// send has the application whisper to the peer, and returns what becomes of it.
func (b *zreBench) send() *outcome {
	o := newOutcome()
	b.z.addWhisper(&message{peer: stateUUID, receipt: o.receipt})
	b.z.sendWhispers(b.now)
	return o
}

func TestBacklog_keepsOrderAndCopiesHeaders(t *testing.T) {
	var b backlog
	header := []byte{1}
	b.push(newEncoded(header, content{}), nil, nil)
	header[0] = 2
	b.push(newEncoded(header, content{}), nil, nil)
	if first, second := b.queue.Pop().header[0], b.queue.Pop().header[0]; first != 1 || second != 2 {
		t.Errorf("headers = %d, %d, want 1, 2", first, second)
	}
}

// What waits is dropped as a whole.
func TestBacklog_clear(t *testing.T) {
	b := backlog{pingQueued: true, pingOKsOwed: 2, cause: waitsForRoom}
	b.push(newEncoded(nil, content{frames: [][]byte{make([]byte, 10)}}), nil, nil)
	if b.clear(nil); b.isBlocked() || b.bytes != 0 || b.cause != waitsForNothing {
		t.Errorf("after clear: blocked %t, %d bytes, cause %d; want false, 0, %d", b.isBlocked(), b.bytes, b.cause, waitsForNothing)
	}
}

// Who sends to a full peer, or shouts to its group, is made to wait, and let go on when
// it has room.
func TestBacklog_gates(t *testing.T) {
	b := fullBench(t)
	b.z.shout(b.now, &message{group: "G"})
	b.port.sendErr = nil
	b.z.advance(b.now)
	if want := []string{"peer blocked", "group blocked", "peer free", "group free"}; !slices.Equal(b.port.gates, want) {
		t.Errorf("gates = %q, want %q", b.port.gates, want)
	}
}

func TestBacklog_flush(t *testing.T) {
	b := fullBench(t)
	b.send()
	b.z.ping(b.now, b.peer())
	b.send()
	if moved := b.z.flushBacklogs(b.now); moved {
		t.Error("flushBacklogs = true with no room, want false")
	}
	b.port.sendErr = nil
	if moved := b.z.flushBacklogs(b.now); !moved || b.z.isWaitingForRoom() {
		t.Errorf("flushBacklogs = %t, blocked %t, want true, false", moved, b.z.isWaitingForRoom())
	}
	if want := []string{"PING", "WHISPER", "WHISPER"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent = %q, want %q", b.port.sent, want)
	}
}

// However often a full peer is pinged, one PING waits. But all its pings are answered: it
// counts the answers.
func TestBacklog_onePing(t *testing.T) {
	b := fullBench(t)
	for range 3 {
		b.z.ping(b.now, b.peer())
		b.hearID(PingID)
	}
	if got := b.peer().backlog; !got.pingQueued || got.pingOKsOwed != 3 || got.queue.Len() != 0 {
		t.Errorf("waiting: PING %t, PING-OKs %d, messages %d; want true, 3, 0", got.pingQueued, got.pingOKsOwed, got.queue.Len())
	}
	b.port.sendErr = nil
	b.z.advance(b.now)
	if want := []string{"PING-OK", "PING-OK", "PING-OK", "PING"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent = %q, want %q", b.port.sent, want)
	}
}

// A peer that pings without end, and reads less than the answers, does not keep the messages to it
// and its groups from going: they go at the speed at which it reads. Nor does it keep a PING.
func TestBacklog_pingsWithoutEnd(t *testing.T) {
	b := fullBench(t)
	room := 0
	b.port.sendErr, b.port.room = nil, &room
	answers, shouts := 0, 0
	for step := range 1000 {
		if step == 500 {
			b.z.ping(b.now, b.peer())
		}
		for range 10 {
			b.hearID(PingID)
		}
		b.now = b.now.Add(10 * time.Millisecond)
		if len(b.z.blockedGroups) == 0 { // the application is not made to wait
			b.shoutTo(1)
			shouts++
		}
		room = 3
		b.z.advance(b.now)
	}
	for _, sent := range b.port.sent {
		if sent != "PING-OK" {
			answers = 0
		} else if answers++; answers > maxOvertaking {
			t.Fatalf("%d PING-OKs in a row went past a message", answers)
		}
	}
	if got, want := count(b.port.sent, "SHOUT"), 3*1000/(maxOvertaking+1); got < want-1 || shouts-got > 1 {
		t.Errorf("%d of %d shouts went, want %d", got, shouts, want)
	}
	if got := count(b.port.sent, "PING"); got != 1 {
		t.Errorf("%d PINGs went, want 1", got)
	}
}

// PING-OKs go on while no message may, and leave a PING its turn: its answer opens the window.
func TestBacklog_pingsWithoutEndWindowFull(t *testing.T) {
	b := fullBench(t)
	b.peer().window.limit = 1
	room := 1
	b.port.sendErr, b.port.room = nil, &room
	b.send()
	b.hearID(PingID)
	b.shoutTo(1)
	b.peer().window.messageSent(100)
	for range 3 * maxOvertaking {
		b.hearID(PingID)
	}
	b.port.forget()
	room = 2 * maxOvertaking
	b.z.advance(b.now)
	if sent := b.port.sent; len(sent) != 2*maxOvertaking || count(sent, "PING-OK") != len(sent)-1 || sent[maxOvertaking] != "PING" {
		t.Errorf("sent %q, want PING-OKs, and a PING after %d of them", sent, maxOvertaking)
	}
}

// Where only a PING-OK waits, who sends to the peer is not made to wait.
func TestBacklog_pingOKHoldsNobody(t *testing.T) {
	b := fullBench(t)
	b.hearID(PingID)
	if len(b.port.gates) != 0 {
		t.Errorf("gates = %q, want none", b.port.gates)
	}
	b.send()
	if want := []string{"peer blocked"}; !slices.Equal(b.port.gates, want) {
		t.Errorf("gates = %q, want %q", b.port.gates, want)
	}
}

// What became of a message that waited.
func TestBacklog_receipts(t *testing.T) {
	taken := errors.New("taken back")
	for _, c := range []struct {
		name string
		then func(b *zreBench, r *receipt)
		want error
	}{
		{"there is room", func(b *zreBench, _ *receipt) { b.port.sendErr = nil; b.z.advance(b.now) }, nil},
		{"the peer goes", func(b *zreBench, _ *receipt) { b.hearID(GoodbyeID) }, ErrUnknownPeer},
		{"its sender takes it back", func(b *zreBench, r *receipt) { b.z.withdraw(r, taken) }, taken},
		{"the node stops", func(b *zreBench, _ *receipt) { b.z.close(b.now, false) }, ErrNotRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := fullBench(t)
			o := b.send()
			c.then(b, o.receipt)
			if !o.known || !errors.Is(o.err, c.want) {
				t.Errorf("known %t, %v; want %v", o.known, o.err, c.want)
			}
		})
	}
}

// What one sender takes back is all that goes.
func TestBacklog_withdrawKeepsOthers(t *testing.T) {
	b := fullBench(t)
	b.send()
	b.z.withdraw(b.send().receipt, ErrPushedBack)
	b.port.sendErr = nil
	b.z.advance(b.now)
	if want := []string{"WHISPER"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent = %q, want %q", b.port.sent, want)
	}
}

// A peer that takes nothing for too long is given up.
func TestBacklog_limit(t *testing.T) {
	b := fullBench(t)
	for range maxBacklog {
		b.send()
	}
	r := b.send()
	b.pass(0)
	if !errors.Is(r.err, ErrPushedBack) || b.peer() != nil {
		t.Errorf("the message beyond the limit: %v, peer %v, want %v, nil", r.err, b.peer(), ErrPushedBack)
	}
}

// A shout that waits for several members takes memory once, and counts once.
func TestBacklog_shoutWaitsOnce(t *testing.T) {
	b := fullBench(t)
	b.shoutTo(1)
	b.pass(2 * time.Second) // it is stalled
	g := b.z.groups["G"]
	g.peers = append(g.peers, b.peer()) // as if it were two
	before := b.z.stalledBytes
	b.shoutTo(1000)
	if got, want := b.z.stalledBytes-before, 1000+2*waitingOverhead; got != want {
		t.Errorf("a shout counts %d bytes, want %d", got, want)
	}
	queue := &b.peer().backlog.queue
	queue.Pop()
	if first, second := queue.Pop(), queue.Pop(); first.encoded != second.encoded {
		t.Error("a shout is kept twice, want once")
	}
}
