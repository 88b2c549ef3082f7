package zyre

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// fakePeer is a node of foreign make: a bare ROUTER, a bare DEALER with an identity
// of the test's choice, and a UDP sender. The test drives it; a model lets it answer
// by itself.
type fakePeer struct {
	t        testing.TB
	ctx      *zmq.Context
	uuid     [16]byte
	identity []byte
	name     string
	endpoint string // of router
	port     int    // UDP port of the beacons
	model    func(f *fakePeer, m *ZreMsg)
	partner  *Zyre         // the one node whose messages it reads
	frozen   atomic.Bool   // reads nothing while set
	quit     chan struct{} // closed to end listen
	done     chan struct{} // closed when listen has ended

	mu     sync.Mutex // guards what follows; whoever holds it may use dealer
	dealer *zmq.Socket
	sent   uint16
	got    []*ZreMsg

	// of the models
	ready  bool
	target string
	want   uint16
	deaf   bool // go-zeromq/zyre after a gap
	exits  int
}

// newFakePeer makes a fake with a mailbox on loopback. It is closed when the test
// ends. It needs a model only to answer by itself.
func newFakePeer(t testing.TB, name string, partner *Zyre, model func(f *fakePeer, m *ZreMsg)) *fakePeer {
	t.Helper()
	f := &fakePeer{t: t, name: name, partner: partner, model: model, quit: make(chan struct{}), done: make(chan struct{})}
	partner.set(func(c *config) { f.port = c.port })
	if _, err := rand.Read(f.uuid[:]); err != nil {
		t.Fatal(err)
	}
	f.identity = appendIdentity(nil, f.uuid)
	var err error
	if f.ctx, err = zmq.NewContext(); err != nil {
		t.Fatal(err)
	}
	router, err := f.ctx.NewSocket(zmq.ROUTER)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		router.SetLinger(0), router.SetRouterHandover(true), router.SetRcvtimeo(5 * time.Millisecond),
		router.Bind("tcp://127.0.0.1:*"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if f.endpoint, err = router.GetLastEndpoint(); err != nil {
		t.Fatal(err)
	}
	go f.listen(router)
	t.Cleanup(f.close)
	return f
}

// listen reads the mailbox and closes it in the end; nobody else touches it.
func (f *fakePeer) listen(router *zmq.Socket) {
	defer close(f.done)
	defer router.Close()
	for {
		select {
		case <-f.quit:
			return
		default:
		}
		if f.frozen.Load() {
			pause(time.Millisecond)
			continue
		}
		m, err := Recv(router)
		if err != nil || !bytes.Equal(m.routing, appendIdentity(nil, f.partner.uuid)) {
			continue
		}
		f.mu.Lock()
		f.got = append(f.got, m)
		if f.model != nil {
			f.model(f, m)
		}
		f.mu.Unlock()
	}
}

// close ends the fake as kill -9 would: it says nothing.
func (f *fakePeer) close() {
	select {
	case <-f.quit:
		return
	default:
	}
	close(f.quit)
	<-f.done
	f.mu.Lock()
	f.drop()
	f.mu.Unlock()
	if err := f.ctx.Term(); err != nil {
		f.t.Errorf("end the context of a fake: %v", err)
	}
}

// drop closes the connection. The caller holds mu.
func (f *fakePeer) drop() {
	if f.dealer != nil {
		_ = f.dealer.Close()
		f.dealer = nil
	}
}

// dial opens a fresh connection. The caller holds mu.
func (f *fakePeer) dial(endpoint string) {
	f.drop()
	soc, err := f.ctx.NewSocket(zmq.DEALER)
	if err == nil {
		err = soc.SetLinger(0)
	}
	if err == nil && len(f.identity) > 0 {
		err = soc.SetIdentity(string(f.identity))
	}
	if err == nil {
		err = soc.SetSndtimeo(patience)
	}
	if err == nil {
		err = soc.Connect(endpoint)
	}
	if err != nil {
		f.t.Errorf("fake %s: connect to %s: %v", f.name, endpoint, err)
		return
	}
	f.dealer, f.sent, f.target = soc, 0, endpoint
}

// connect opens a fresh connection to a mailbox.
func (f *fakePeer) connect(endpoint string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dial(endpoint)
}

// send sends frames as they are.
func (f *fakePeer) send(frames ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sendFrames(frames...)
}

func (f *fakePeer) sendFrames(frames ...[]byte) {
	if f.dealer == nil {
		return
	}
	for i, frame := range frames {
		flags := zmq.Flag(0)
		if i+1 < len(frames) {
			flags = zmq.SNDMORE
		}
		if _, err := f.dealer.SendBytes(frame, flags); err != nil {
			f.t.Errorf("fake %s: send: %v", f.name, err)
			return
		}
	}
}

// say sends a message with the next sequence number.
func (f *fakePeer) say(m *ZreMsg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.speak(m)
}

func (f *fakePeer) speak(m *ZreMsg) {
	f.sent++
	f.sendFrames(f.frames(m, f.sent)...)
}

// frames encodes a message.
func (f *fakePeer) frames(m *ZreMsg, sequence uint16) [][]byte {
	header, err := m.append(nil)
	if err != nil {
		f.t.Errorf("fake %s: encode: %v", f.name, err)
		return nil
	}
	putSequence(header, sequence)
	return append([][]byte{header}, m.content()...)
}

// hello is the fake's HELLO.
func (f *fakePeer) hello(groups ...string) *ZreMsg {
	return &ZreMsg{
		id: HelloID, Endpoint: f.endpoint, Name: f.name, Groups: groups, Status: byte(len(groups)),
		Headers: map[string]string{"X": "y"},
	}
}

// greet opens a fresh connection and says HELLO.
func (f *fakePeer) greet(endpoint string, groups ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dial(endpoint)
	f.speak(f.hello(groups...))
}

func (f *fakePeer) whisper(format string, args ...any) {
	f.say(&ZreMsg{id: WhisperID, Content: fmt.Appendf(nil, format, args...)})
}

// heard counts the messages that came with an id, and a content if one is given.
func (f *fakePeer) heard(id uint8, content ...string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.got {
		if m.id == id && (len(content) == 0 || string(m.Content) == content[0]) {
			n++
		}
	}
	return n
}

// uuidText is the fake's UUID as events have it.
func (f *fakePeer) uuidText() string { return uuidString(f.uuid) }

// announce sends the fake's beacon; port 0 is goodbye.
func (f *fakePeer) announce() {
	port, err := strconv.Atoi(f.endpoint[strings.LastIndexByte(f.endpoint, ':')+1:])
	if err != nil {
		f.t.Error(err)
	}
	sendBeacon(f.t, f.port, f.uuid, uint16(port))
}

// sendBeacon sends a forged beacon to all nodes of this host on a UDP port.
func sendBeacon(t testing.TB, udp int, uuid [16]byte, port uint16) {
	b, err := newBeaconMsg(uuid, port).append(nil)
	if err != nil {
		t.Error(err)
	}
	sendDatagrams(t, udp, b)
}

// sendDatagrams sends datagrams to all nodes of this host on a UDP port.
func sendDatagrams(t testing.TB, udp int, datagrams ...[]byte) {
	t.Helper()
	c, err := net.Dial("udp4", fmt.Sprintf("127.255.255.255:%d", udp))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, d := range datagrams {
		if _, err := c.Write(d); err != nil {
			t.Fatalf("send a datagram of %d bytes: %v", len(d), err)
		}
		if i%64 == 63 {
			pause(time.Millisecond) // or the kernel drops what follows
		}
	}
}

// bystander is a pair of healthy nodes that talk while something else is attacked:
// watch is one whose events are checked, and it hears beats from the other.
type bystander struct {
	t       testing.TB
	victim  *Zyre
	good    *Zyre
	events  *recorder
	beats   int
	slowest time.Duration
}

// newBystander starts the node under attack and a healthy peer of it.
func newBystander(t testing.TB, port int) *bystander {
	t.Helper()
	b := &bystander{t: t, victim: newLoopbackNode(t, "victim", port), good: newLoopbackNode(t, "good", port)}
	b.victim.Join("hall")
	mustStart(t, b.victim)
	mustStart(t, b.good)
	b.events = record(b.victim)
	good := b.good.Events()
	go func() { // ends with the node
		for range good {
		}
	}()
	b.events.wait(t, "ENTER good", 1)
	eventually(t, "good sees victim", func() bool { return len(b.good.Peers()) > 0 })
	return b
}

// beat has the healthy peer whisper to the victim, and waits for it.
func (b *bystander) beat() {
	b.t.Helper()
	b.beats++
	start := time.Now()
	b.good.Whispers(b.victim.UUID(), "beat %d", b.beats)
	b.events.wait(b.t, fmt.Sprintf("WHISPER good beat %d", b.beats), 1)
	b.slowest = max(b.slowest, time.Since(start))
}

// check fails the test unless all beats came, in order, and the healthy peer is
// there without a break.
func (b *bystander) check() {
	b.t.Helper()
	seen, _ := b.events.events()
	next := 1
	for _, e := range seen {
		if e.PeerName != "good" {
			continue
		}
		switch {
		case e.Type == "WHISPER" && bytes.Equal(e.Msg, fmt.Appendf(nil, "beat %d", next)):
			next++
		case e.Type == "WHISPER" || e.Type == "EXIT":
			b.t.Errorf("bystander: %s %s, want beat %d", e.Type, e.Msg, next)
		}
	}
	if next != b.beats+1 {
		b.t.Errorf("bystander: %d beats came, want %d", next-1, b.beats)
	}
	b.t.Logf("slowest round trip of the bystander: %v", b.slowest)
}

// dropped returns the victim's counters of what it refused.
func (b *bystander) dropped() Dropped { return b.victim.Stats().Dropped }

// silence fails the test if the application saw anything of anybody but the healthy peer.
func (b *bystander) silence(name string) {
	b.t.Helper()
	seen, _ := b.events.events()
	for _, e := range seen {
		if e.PeerName != "good" {
			b.t.Errorf("event of %s: %s", name, describe(e))
		}
	}
}
