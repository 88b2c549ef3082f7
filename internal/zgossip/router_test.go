package zgossip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// raw is a socket that sends any frames.
type raw struct {
	t   *testing.T
	soc *zmq.Socket
}

func newRaw(t *testing.T, ctx *zmq.Context, endpoint string) *raw {
	t.Helper()
	return newRawFor(t, ctx, endpoint, 1000)
}

// newRawFor makes one that has libzmq receive up to so many messages before it reads them.
func newRawFor(t *testing.T, ctx *zmq.Context, endpoint string, messages int) *raw {
	t.Helper()
	soc, err := ctx.NewSocket(zmq.DEALER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { soc.SetLinger(0); soc.Close() })
	soc.SetRcvtimeo(patience)
	soc.SetRcvhwm(messages)
	if err := soc.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	return &raw{t, soc}
}

func (r *raw) send(frames ...[]byte) {
	r.t.Helper()
	for i, f := range frames {
		flag := zmq.Flag(0)
		if i < len(frames)-1 {
			flag = zmq.SNDMORE
		}
		if _, err := r.soc.SendBytes(f, flag); err != nil {
			r.t.Fatal(err)
		}
	}
}

// next returns the next frame as "id key=value".
func (r *raw) next() string {
	r.t.Helper()
	b, err := r.soc.RecvBytes(0)
	if err != nil {
		r.t.Fatal(err)
	}
	var m msg
	if err := m.parse(b); err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s=%s", m.id, m.key, m.value)
}

func (r *raw) want(frames ...string) {
	r.t.Helper()
	for _, w := range frames {
		if got := r.next(); got != w {
			r.t.Fatalf("next() = %q, want %q", got, w)
		}
	}
}

// The hub's side of the protocol, frame by frame.
func TestHub_states(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	hub.publish("a", "1")
	at := hub.bind("tcp://127.0.0.1:*")
	r := newRaw(t, ctx, at)
	r.send(appendHead(nil, idPing))
	r.want("4 =")
	r.send(appendPublish(nil, "k", "v", 0))
	r.want("5 =")
	r.send(appendHead(nil, idHello))
	r.want("2 a=1")
	r.send(appendPublish(nil, "k", "v", 12345))
	r.send(appendHead(nil, idPing))
	r.want("4 =")
	hub.publish("b", "2")
	r.want("2 b=2")
	s := newRaw(t, ctx, at)
	s.send(appendHead(nil, idHello))
	s.want("2 a=1", "2 k=v", "2 b=2")
	s.send(appendPublish(nil, "s", "1", 0))
	r.want("2 s=1")
	s.send(appendPublish(nil, "s", "", 0))
	r.want("2 s=")
	s.send(appendHead(nil, idHello))
	s.want("2 a=1", "2 k=v", "2 b=2")
}

// A client that reads late gets all tuples in the end with their last values,
// however few wait for it.
func TestHub_slowClient(t *testing.T) {
	for name, endpoint := range hubEndpoints(t) {
		t.Run(name, func(t *testing.T) {
			ctx := newContext(t)
			hub := newMember(t, ctx, quick())
			r := newRawFor(t, ctx, hub.bind(endpoint), 1)
			r.send(appendHead(nil, idHello))
			hub.until("client", func() bool { return hub.Stats().Clients == 1 })
			want, got := map[string]bool{}, map[string]bool{}
			for i := range 20 * clientQueue {
				key, value := fmt.Sprint("k", i), strings.Repeat("v", 1000)
				hub.publish(key, value)
				if i%2 == 0 {
					value = "new"
					hub.publish(key, value)
				}
				want[fmt.Sprintf("2 %s=%s", key, value)] = true
			}
			for left := len(want); left > 0; {
				if f := r.next(); want[f] && !got[f] {
					got[f] = true
					left--
				}
			}
		})
	}
}

// A hub answers the first PING of a client of ours that it does not know with INVALID.
func TestHub_forgotten(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	soc, err := ctx.NewSocket(zmq.DEALER)
	if err != nil {
		t.Fatal(err)
	}
	defer soc.Close()
	soc.SetLinger(0)
	soc.SetRcvtimeo(patience)
	soc.SetIdentity(routingTag + "instance" + "1234")
	if err := soc.Connect(at); err != nil {
		t.Fatal(err)
	}
	r := &raw{t, soc}
	r.send(appendHead(nil, idPing))
	r.want("4 =", "5 =")
}

func TestHub_hostile(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	o := quick()
	o.MaxTuples, o.MaxClients = 100, 4
	hub := newMember(t, ctx, o)
	at := hub.bind("tcp://127.0.0.1:*")
	r := newRaw(t, ctx, at)
	ok := appendPublish(nil, "k", "v", 0)
	bad := [][][]byte{
		{{}}, {{}, {}}, {ok, ok}, {{}, ok}, {ok, {}}, {[]byte("\xAA\xA1\x01\x01")}, {[]byte("\xAA\xA0\x09\x01")},
		{[]byte("\xAA\xA0\x01\x02")}, {[]byte("\xAA\xA0\x02\x01\xFFk")}, {ok[:len(ok)-1]},
		{[]byte("\xAA\xA0\x02\x01\x01k\xFF\xFF\xFF\xFFv\x00\x00\x00\x00")},
		{appendPublish(nil, "k", strings.Repeat("v", MaxValue+1), 0)},
	}
	for _, frames := range bad {
		r.send(frames...)
	}
	hub.until("count of bad frames", func() bool { return hub.Stats().Malformed == uint64(len(bad)) })
	r.send(appendHead(nil, idPong))
	r.send(appendHead(nil, idInvalid))
	hub.until("count of misplaced commands", func() bool { return hub.Stats().Unexpected == 2 })

	r.send(appendHead(nil, idHello))
	for i := range 5000 {
		r.send(appendPublish(nil, fmt.Sprint(i), "v", 0))
	}
	hub.until("refusals", func() bool { return hub.Stats().Refused == 5000-50 })
	if n := hub.Stats().Tuples; n != 50 {
		t.Errorf("Stats().Tuples = %d, want 50", n)
	}
	refused := hub.Stats().Refused
	for range 6 {
		newRaw(t, ctx, at).send(appendHead(nil, idHello))
	}
	hub.until("refused clients", func() bool { return hub.Stats().Refused == refused+3 })

	// A frame of a megabyte ends the connection; the hub goes on.
	r.send(make([]byte, 1<<20))
	s := newRaw(t, ctx, at)
	s.send(appendHead(nil, idPing))
	s.want("4 =")
}

// One host that makes all the connections that a hub takes, and brings all the tuples that it
// may, keeps out neither clients of other hosts nor their tuples.
func TestHub_lockOut(t *testing.T) {
	ctx := newContext(t)
	o := quick()
	o.MaxTuples, o.MaxClients = 50, 5
	hub := newMember(t, ctx, o)
	at := hub.bind("tcp://127.0.0.1:*")
	for i := range 7 {
		r := newRaw(t, ctx, at)
		r.send(appendHead(nil, idHello))
		for j := range 50 {
			r.send(appendPublish(nil, fmt.Sprintf("%d-%d", i, j), "v", 0))
		}
	}
	hub.until("a hub that is full", func() bool { s := hub.Stats(); return s.Clients == 5 && s.Refused > 0 })
	if s := hub.Stats(); s.Tuples > 25 {
		t.Errorf("one host brought %d tuples, want at most 25", s.Tuples)
	}
	a, b := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	a.publish("a", "1")
	b.publish("b", "2")
	a.connect("tcp://127.0.0.2:0;" + strings.TrimPrefix(at, "tcp://"))
	b.connect("tcp://127.0.0.3:0;" + strings.TrimPrefix(at, "tcp://"))
	a.until("b is known to a", func() bool { return a.seen["b"] == "2" })
	b.until("a is known to b", func() bool { return b.seen["a"] == "1" })
	if hub.Stats().Evicted == 0 {
		t.Error("Stats().Evicted = 0, want who gave way counted")
	}
}

// A message of very many frames, in a hub and in a client of one, is passed over in steps.
func TestHub_manyFrames(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	r := newRaw(t, ctx, hub.bind("tcp://127.0.0.1:*"))
	r.send(make([][]byte, 100_000)...)
	for i := range 20 {
		r.send(make([][]byte, maxParts-3+i)...) // around what is read at once, with the routing id
	}
	r.send(appendHead(nil, idPing))
	r.want("4 =")
	hub.until("all counted", func() bool { return hub.Stats().Malformed == 21 })
}

// A client that vanishes is forgotten if it used to send PING.
func TestGossip_deadClient(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	b := newMember(t, ctx, quick())
	b.connect(at)

	dead, quiet := newRaw(t, ctx, at), newRaw(t, ctx, at)
	for _, r := range []*raw{dead, quiet} {
		r.send(appendHead(nil, idHello))
	}
	dead.send(appendHead(nil, idPing))
	dead.send(appendPublish(nil, "dead", "1", 0))
	quiet.send(appendPublish(nil, "quiet", "1", 0))
	b.has("dead=1", "quiet=1")
	b.has("quiet=1")
	late := newMember(t, ctx, quick())
	late.connect(at)
	late.has("quiet=1")
	if n := hub.Stats().Expired; n != 1 {
		t.Errorf("Stats().Expired = %d, want 1", n)
	}
}

// A client that never sends PING is forgotten when its connection is gone for long. Its
// tuples stay if somebody repeats them.
func TestGossip_goneClient(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	gone, back := newRaw(t, ctx, at), newRaw(t, ctx, at)
	for i, r := range []*raw{gone, back} {
		r.send(appendHead(nil, idHello))
		r.send(appendPublish(nil, fmt.Sprint("k", i), "1", 0))
	}
	hub.has("k0=1", "k1=1")
	gone.soc.Close()
	back.soc.Close()
	// A change that cannot be sent shows that the connections are gone.
	turn := 0
	hub.until("lost connections", func() bool {
		turn++
		hub.publish("news", fmt.Sprint(turn))
		down := 0
		hub.do(func(time.Time) {
			for _, c := range hub.clients {
				if !c.downSince.IsZero() {
					down++
				}
			}
		})
		return down == 2
	})
	back = newRaw(t, ctx, at)
	back.send(appendHead(nil, idHello))
	back.send(appendPublish(nil, "k1", "1", 0))
	hub.until("two expired clients", func() bool { return hub.Stats().Expired == 2 })
	hub.has("k1=1")
}

// A client whose publication was taken for a reflected value is asked for its tuples once it has read the
// tombstone, and is believed then.
func TestHub_asksAfterEcho(t *testing.T) {
	var o Options
	setDefaults(&o)
	now := time.Unix(1e9, 0)
	r := &askedRouter{}
	g := &Gossip{opts: o, log: o.Logger, table: newTable(10), clients: map[string]*link{}, hosts: map[string]*host{}, router: r}
	say := func(client string, ms ...msg) {
		for _, m := range ms {
			g.onClientMessage([]byte(routingTag+client), "", &m, now)
		}
	}
	value, gone := msg{id: idPublish, key: []byte("k"), value: []byte("v")}, msg{id: idPublish, key: []byte("k")}
	say("client-a0001", msg{id: idHello}, value)
	say("client-b0001", msg{id: idHello}, gone)
	g.sendChanges(now)
	say("client-a0001", value)
	if g.stats.Reflected != 1 || r.asked != 0 {
		t.Fatalf("Reflected, INVALIDs = %d, %d at once, want 1, 0", g.stats.Reflected, r.asked)
	}
	now = now.Add(reflectionWindow)
	g.tick(now)
	say("client-a0001", msg{id: idHello}, value)
	if g.table.live != 1 || r.asked != 1 {
		t.Errorf("tuples, INVALIDs = %d, %d after %v, want 1, 1", g.table.live, r.asked, reflectionWindow)
	}
}

// askedRouter counts the INVALIDs that it sends.
type askedRouter struct {
	Router
	asked int
}

func (r *askedRouter) SendTo(_, frame []byte) error {
	var m msg
	err := m.parse(frame)
	if m.id == idInvalid {
		r.asked++
	}
	return err
}

// ipv6Router brings the HELLO of a client from an address of IPv6.
type ipv6Router struct {
	scriptRouter
	id, address string
}

func (r *ipv6Router) ReceiveFrom(parts [][]byte) (n int, from Origin, err error) {
	parts[0], parts[1] = []byte(r.id), appendHead(nil, idHello)
	return 2, Origin{Address: r.address}, nil
}

// newHubOf makes a hub, and a function that has a client come from an address.
func newHubOf(o Options) (g *Gossip, come func(id, address string)) {
	setDefaults(&o)
	r := &ipv6Router{}
	g = &Gossip{opts: o, log: o.Logger, table: newTable(10), clients: map[string]*link{}, hosts: map[string]*host{}, router: r}
	return g, func(id, address string) {
		r.id, r.address = id, address
		g.readRouter(time.Unix(1e9, 0), 1)
	}
}

// The addresses of an IPv6 subnet are one host, and take no places of other hosts.
func TestHub_lockOutByAddresses(t *testing.T) {
	g, come := newHubOf(Options{MaxClients: 5})
	for i := range 2 * g.opts.MaxClients {
		come(fmt.Sprint("stranger", i), fmt.Sprintf("2001:db8::%x", 1+i))
	}
	for _, address := range []string{"2001:db8:0:1::1", "::ffff:10.0.0.1", "fe80::1%eth0"} {
		if come(address, address); g.clients[address] == nil {
			t.Errorf("the client at %s is refused, want a place for it", address)
		}
	}
	if s := g.stats; len(g.clients) != g.opts.MaxClients || s.Evicted != 3 {
		t.Errorf("%d clients after %d gave way, want %d after 3", len(g.clients), s.Evicted, g.opts.MaxClients)
	}
}
