package zgossip

import (
	"errors"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
)

func TestGossip_hubRestart(t *testing.T) {
	t.Parallel()
	for name, endpoint := range hubEndpoints(t) {
		t.Run(name, func(t *testing.T) {
			ctx := newContext(t)
			hub := newMember(t, ctx, quick())
			at := hub.bind(endpoint)
			a, b := newMember(t, ctx, Options{}), newMember(t, ctx, Options{})
			for _, m := range []*member{a, b} {
				m.connect(at)
			}
			a.publish("a", "1")
			b.publish("b", "1")
			a.has("b=1")
			hub.Close()
			again := newMember(t, ctx, quick())
			again.until("a bind", func() bool { _, err := again.Bind(at); return err == nil })
			if d := again.has("a=1", "b=1"); d > 20*time.Second {
				t.Errorf("tuples were back after %v, want less than 20s", d)
			}
			a.has("b=1")
			a.publish("a", "2")
			b.has("a=2")
			if a.gone["b"] != 0 {
				t.Errorf("a restart of the hub ended a tuple %d times, want 0", a.gone["b"])
			}
		})
	}
}

// When a hub is given up other hubs may own its tuples because of us alone. We tell them
// all tuples that are left, and they drop the rest.
func TestGossip_hubGivenUp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	lost, other := &hub{}, &hub{}
	lost.hub, other.hub = true, true
	o := quick()
	setDefaults(&o)
	g := &Gossip{table: newTable(10), hubs: []*hub{lost, other}, opts: o, log: o.Logger}
	g.table.say(&lost.link, "a=1", now)
	lost.downSince = now
	for _, c := range []struct {
		after time.Duration
		hello bool
		news  string
	}{{time.Second, false, "+a=1"}, {g.opts.HubTimeout + time.Second, true, "-a"}, {time.Hour, false, ""}} {
		lost.othersResynced, other.needHello = true, false
		g.tickLostHub(lost, now.Add(c.after))
		if news := g.table.takeNews(); other.needHello != c.hello || news != c.news {
			t.Errorf("after %v: HELLO to the other hub %t, news %q, want %t, %q", c.after, other.needHello, news, c.hello, c.news)
		}
	}
}

// A hub with a host name is met at whichever of its addresses it has, and soon again when
// it has moved to another.
func TestGossip_nameMoves(t *testing.T) {
	t.Parallel()
	const limit = 3*nameRetry + 6*time.Second // three look-ups, and what a busy machine adds
	ctx := newContext(t)
	first, second := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	at, next := first.bind("tcp://127.0.0.1:*"), second.bind("tcp://127.0.0.1:*")
	const name, nobody = "tcp://hub.test:9", "tcp://127.0.0.1:1"
	found := func(numeric ...string) *transport.Resolved {
		return &transport.Resolved{Endpoint: name, Numeric: numeric}
	}
	// The port is part of the answers, so that a test of one host can have several addresses.
	res := &fakeResolver{results: make(chan transport.Resolved, 1), answers: []*transport.Resolved{
		found(nobody, at), found(nobody, at), // the first address is dead
		found(at), {Endpoint: name, Err: errors.New("no such host")}, found(next), // the old address, none, the new one
	}}
	g, err := NewOn(zmqSockets{ctx}, Options{}, res)
	if err != nil {
		t.Fatal(err)
	}
	a := collect(t, g)
	start := time.Now()
	a.connect(name)
	a.publish("a", "1")
	first.has("a=1")
	if took := time.Since(start); took > limit {
		t.Errorf("met at the second address after %v, want within %v", took, limit)
	}
	start = time.Now()
	first.Close()
	second.has("a=1")
	if took := time.Since(start); took > limit {
		t.Errorf("met again after %v, want within %v", took, limit)
	}
}

func TestGossip_names(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	_, port, _ := strings.Cut(strings.TrimPrefix(at, "tcp://"), ":")
	name := "tcp://hub.test:" + port
	for _, endpoint := range []string{name, "tcp://127.0.0.1:0;hub.test:" + port} {
		// The first try finds nothing, the second one is refused.
		res := &fakeResolver{results: make(chan transport.Resolved, 1), answers: []*transport.Resolved{
			{Endpoint: name, Err: errors.New("no such name")},
			nil,
			{Endpoint: name, Numeric: []string{"tcp://[ff02::1]:" + port, at}},
		}}
		g, err := NewOn(zmqSockets{ctx}, quick(), res)
		if err != nil {
			t.Fatal(err)
		}
		a := collect(t, g)
		a.connect(endpoint)
		a.publish(endpoint, "1")
		hub.has(endpoint + "=1")
		if err := a.Close(); err != nil || len(res.answers) > 0 {
			t.Errorf("Close() = %v; %d look-ups left, want 0", err, len(res.answers))
		}
	}
}

// A client sends a hub that answers everything with INVALID, or with rubbish, no more than
// usual.
func TestClient_hostileHub(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	soc, err := ctx.NewSocket(zmq.ROUTER)
	if err != nil {
		t.Fatal(err)
	}
	defer soc.Close()
	soc.SetLinger(0)
	soc.SetRcvtimeo(patience)
	if err := soc.Bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	at, _ := soc.GetLastEndpoint()
	a := newMember(t, ctx, quick())
	a.publish("a", "1")
	start := time.Now()
	a.connect(at)
	frames := 0
	for pings := 0; pings < 20; frames++ {
		parts, err := soc.RecvMessageBytes(0)
		if err != nil {
			t.Fatalf("after %d frames, %d of 20 PINGs among them: %v", frames, pings, err)
		}
		var m msg
		if len(parts) == 2 && m.parse(parts[1]) == nil && m.id == idPing {
			pings++
		}
		soc.SendMessage(parts[0], appendHead(nil, idInvalid))
		soc.SendMessage(parts[0], "rubbish")
		soc.SendMessage(parts[0], "", "rubbish")
	}
	// With the PINGs go 7 repetitions, and HELLOs with a tuple each.
	if limit := 20 + 7 + 2*(int(time.Since(start)/minHelloGap)+1); frames > limit {
		t.Errorf("a client sent %d frames with 20 PINGs, want at most %d", frames, limit)
	}
	if s := a.Stats(); s.Malformed == 0 || s.Invalids == 0 {
		t.Errorf("Stats() = %+v, want Malformed and Invalids", s)
	}
}
