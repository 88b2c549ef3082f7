package zyre

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

// queueInbox hands out the packets given to it, and then an error.
type queueInbox struct {
	packets  []transport.Packet
	then     error // ErrAgain if nil
	woken    chan struct{}
	offering bool
}

func newQueueInbox() *queueInbox { return &queueInbox{woken: make(chan struct{}, 1), offering: true} }

func (in *queueInbox) Recv(p *transport.Packet) error {
	switch {
	case len(in.packets) > 0:
		*p, in.packets = in.packets[0], in.packets[1:]
		return nil
	case in.then != nil:
		return in.then
	}
	return transport.ErrAgain
}

func (in *queueInbox) Bind(endpoint string) (string, error) { return endpoint, nil }
func (in *queueInbox) Unbind(string) error                  { return nil }
func (in *queueInbox) Guard() *transport.Guard              { return nil }
func (in *queueInbox) StopOffering()                        { in.offering = false }
func (in *queueInbox) Close() error                         { return nil }

func (in *queueInbox) Wait(until time.Time) {
	timer := time.AfterFunc(time.Until(until), in.Wake)
	defer timer.Stop()
	<-in.woken
}

func (in *queueInbox) Wake() {
	select {
	case in.woken <- struct{}{}:
	default:
	}
}

// queueTransport gives a node a queueInbox, and mailboxes by dial.
type queueTransport struct {
	inbox *queueInbox
	dial  func(endpoint string) (transport.Mailbox, error)
}

func (tr *queueTransport) Listen(transport.ListenOptions) (transport.Inbox, error) {
	return tr.inbox, nil
}
func (tr *queueTransport) Close() error { return nil }
func (tr *queueTransport) Dial(endpoint string, _ transport.DialOptions) (transport.Mailbox, error) {
	return tr.dial(endpoint)
}

// nullMailbox takes everything and keeps nothing.
type nullMailbox struct{}

func (nullMailbox) Send([]byte, [][]byte) error                 { return nil }
func (nullMailbox) SendShared([]byte, *transport.Payload) error { return nil }
func (nullMailbox) Close(time.Duration) error                   { return nil }

func (nullMailbox) Moved(time.Time, transport.Conn) transport.Moved { return transport.Moved{} }

// newQueueNode makes a node that has started but does not run, with its inbox.
func newQueueNode(t testing.TB, now time.Time) (*node, *queueInbox) {
	t.Helper()
	in := newQueueInbox()
	tr := &queueTransport{inbox: in, dial: func(string) (transport.Mailbox, error) { return nullMailbox{}, nil }}
	cfg := defaultConfig()
	cfg.endpoint = "inproc://queue"
	n := newNode([16]byte{9}, cfg, seams{transport: tr}, newEventQueue(newEventChannel(), defaultQueueLimit))
	if err := n.start(now); err != nil {
		t.Fatal(err)
	}
	return n, in
}

// packetOf encodes a message from a peer.
// thisHost is where the packets of most tests come from.
var thisHost = netip.MustParseAddr("127.0.0.1")

func packetOf(t testing.TB, from [16]byte, sequence uint16, m *ZreMsg) transport.Packet {
	t.Helper()
	m.sequence = sequence
	header, err := m.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return transport.Packet{From: appendIdentity(nil, from), Header: header, Frames: m.content(), Address: thisHost}
}

// meetPeer has a node meet a peer that sends some messages after its HELLO.
func meetPeer(t testing.TB, now time.Time, n *node, in *queueInbox, messages ...*ZreMsg) *peer {
	t.Helper()
	uuid := [16]byte{1}
	in.packets = append(in.packets, packetOf(t, uuid, 1, simHello("tcp://10.0.0.9:9")))
	n.step(now)
	for i, m := range messages {
		in.packets = append(in.packets, packetOf(t, uuid, uint16(i+2), m))
	}
	return n.zre.peers[uuid]
}

// A node that reads again after a pause takes nobody for silent before its inbox has made
// sure that nothing is left.
func TestNode_unpolledInboxProvesNothing(t *testing.T) {
	for then, grace := range map[error]bool{transport.ErrNotPolled: true, transport.ErrAgain: false} {
		now := time.Now()
		n, in := newQueueNode(t, now)
		p := meetPeer(t, now, n, in)
		in.then = then
		n.pause(now)
		n.resume(now)
		for end := now.Add(10 * n.cfg.expired); now.Before(end); {
			now = n.plan(now, false)
			n.step(now)
		}
		if n.zre.inbox.isGrace() != grace {
			t.Errorf("after %v: grace = %d, want it above 0: %t", then, n.zre.inbox.grace, grace)
		}
		if p.isEntered() != grace {
			t.Errorf("after a pause, and %v, the peer has entered: %t, want %t", then, p.isEntered(), grace)
		}
	}
}

// However long the rounds of a busy node take, that is not a time in which it did not run: a peer
// that dies is missed in time. What passes between two rounds is, and so is a stop in a round.
func TestNode_rounds(t *testing.T) {
	times := timeouts{evasive: 100 * time.Millisecond, silent: 200 * time.Millisecond, expired: 400 * time.Millisecond}
	longest := (&zre{timeouts: times}).longestRound()
	for _, c := range []struct {
		name           string
		busy           bool
		round, between time.Duration
		stays          bool
	}{
		{"long rounds", true, longest, 0, false},
		{"stopped between rounds", true, 0, longest, true},
		{"stopped in rounds", true, 2 * longest, 0, true},
		{"long quiet rounds", false, longest, 0, false},
		{"stopped in quiet rounds", false, 2 * longest, 0, true},
		{"stopped for long in a quiet round", false, 2 * times.expired, 0, true},
	} {
		now := time.Now()
		n, in := newQueueNode(t, now)
		n.zre.timeouts, n.zre.tickInterval = times, 20*time.Millisecond
		meetPeer(t, now, n, in)
		junk := transport.Packet{From: []byte("nobody")}
		for end := now.Add(4 * times.expired); now.Before(end); {
			if c.busy {
				in.packets = slices.Repeat([]transport.Packet{junk}, receiveBatch)
			}
			busy := n.step(now)
			if busy != c.busy {
				t.Fatalf("%s: busy = %t", c.name, busy)
			}
			now = now.Add(c.round)
			n.plan(now, busy)
			now = now.Add(c.between)
		}
		if got := n.zre.entered == 1; got != c.stays {
			t.Errorf("%s: the peer stays %t, want %t", c.name, got, c.stays)
		}
	}
}

// A timer that is overdue is looked at now: a time before would be one in which the node did not run.
func TestNode_planNotInThePast(t *testing.T) {
	now := time.Now()
	n, _ := newQueueNode(t, now)
	n.zre.wakeBy(now.Add(-time.Hour))
	if got := n.plan(now, false); got.Before(now) || n.plannedAt.Before(now) {
		t.Errorf("plan() = %v, planned at %v; want neither before %v", got, n.plannedAt, now)
	}
}

// An application that is slow, and has its queue full, is not taken for one that has stalled: the
// node reads on as events are taken. It must not wait until half of the queue is, which takes
// longer than the stalled timeout here.
func TestNode_slowApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		sender, slow := newMemNode(network, "sender"), newMemNode(network, "slow")
		slow.SetQueueLimit(1 << 20)
		for _, z := range []*Zyre{sender, slow} {
			mustStart(t, z)
			defer z.Stop()
		}
		slow.Join("G")
		seen := record(sender)
		seen.wait(t, "JOIN slow G", 1)
		go func() {
			for range 12_000 {
				sender.Shout("G", []byte("news"))
			}
		}()
		end := time.After(5 * time.Minute)
		for range 6000 { // 1000 in the stalled timeout: enough to be seen
			select {
			case <-slow.Events():
				bubble.Sleep(30 * time.Millisecond)
			case <-end:
				t.Fatalf("too few events came; the sender saw %s", seen)
			}
		}
		if all, _ := seen.events(); len(all) != 2 {
			t.Errorf("the sender saw %s, want ENTER and JOIN", seen)
		}
		if s := slow.Stats(); !s.Paused || s.Pauses != 1 {
			t.Errorf("paused %t, %d times; want true, once", s.Paused, s.Pauses)
		}
	})
}

// A turn ends for the bytes of what was read, also for those that are not kept.
func TestNode_drainCountsAll(t *testing.T) {
	const size = receiveBytes / 4
	ping := packetOf(t, [16]byte{1}, 1, &ZreMsg{id: PingID})
	for name, c := range map[string]struct {
		packet transport.Packet
		left   int
	}{
		"small":             {ping, 0},
		"a long routing id": {transport.Packet{From: make([]byte, 255), Cut: size}, 6},
		"a long header":     {transport.Packet{From: ping.From, Header: make([]byte, size)}, 6},
		"long content":      {transport.Packet{From: ping.From, Header: ping.Header, Frames: [][]byte{make([]byte, size)}}, 6},
	} {
		now := time.Now()
		n, in := newQueueNode(t, now)
		in.packets = slices.Repeat([]transport.Packet{c.packet}, 10)
		if more, _ := n.drain(now); len(in.packets) != c.left || more != (c.left > 0) {
			t.Errorf("%s: %d of 10 messages are left after a turn, more %t; want %d", name, len(in.packets), more, c.left)
		}
	}
}

// A node that has nothing to do wakes once a second, and for what its peers say: one
// ping and one answer to ours, each within every evasive timeout.
func TestNode_idleSleeps(t *testing.T) {
	for _, peers := range []int{0, 1, 10} {
		t.Run(fmt.Sprint(peers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := mem.New(1)
				var nodes []*Zyre
				for i := range peers + 1 {
					z := newMemNode(network, fmt.Sprint("node", i))
					nodes = append(nodes, z)
					mustStart(t, z)
					record(z)
				}
				bubble.Sleep(time.Minute)
				const watched = 10 * time.Minute
				before := network.Host(nodes[0]).Waits()
				bubble.Sleep(watched)
				got, limit := network.Host(nodes[0]).Waits()-before, int64(watched/time.Second)+2*int64(peers)*int64(watched/defaultEvasive)
				if got > limit+10 {
					t.Errorf("woke %d times in %v with %d peers, want at most %d", got, watched, peers, limit)
				}
				if got < int64(watched/time.Second)/2 {
					t.Errorf("woke %d times in %v, want about once a second", got, watched)
				}
				for _, z := range nodes {
					z.Stop()
				}
			})
		})
	}
}
