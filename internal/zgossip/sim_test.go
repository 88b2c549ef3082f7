package zgossip

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// sim is a gossip network without sockets. A test carries the frames between its members,
// in the order in which they were sent, with any delay.
type sim struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	now     time.Time
	members []*simMember
	wires   []*simWire
	trace   []string
}

type simMember struct {
	*Gossip
	name string
	own  map[string]string
	dead bool
}

// simWire is a connection of a client with a hub.
type simWire struct {
	client, hub *simMember
	h           *hub  // the client's side
	c           *link // the hub's side; nil before HELLO
	up          bool
	connection  int // the number of its connections
	there, back []msg
}

// newSim makes a network without members.
func newSim(t *testing.T, seed uint64) *sim {
	return &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(0, 0).UTC()}
}

// simSeeds is how many seeds a test takes of so many, fewer with -short.
func simSeeds(n uint64) uint64 {
	if testing.Short() {
		return n / 4
	}
	return n
}

func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, s.now.Format("04:05.0 ")+fmt.Sprintf(format, args...))
}

func (s *sim) member(name string) *simMember {
	var o Options
	setDefaults(&o)
	m := &simMember{name: name, own: map[string]string{}, Gossip: &Gossip{
		opts: o, log: o.Logger, table: newTable(o.MaxTuples), clients: map[string]*link{}, hosts: map[string]*host{},
	}}
	m.router = &simRouter{s: s, m: m}
	s.members = append(s.members, m)
	return m
}

// simRouter is the socket of a member by which it answers its clients.
type simRouter struct {
	Router
	s *sim
	m *simMember
}

func (r *simRouter) SendTo(id, frame []byte) error {
	for _, w := range r.s.wires {
		if w.up && w.hub == r.m && w.c != nil && bytes.Equal(w.c.id, id) {
			var m msg
			err := m.parse(frame)
			w.back = append(w.back, m)
			return err
		}
	}
	return errPartial
}

func (s *sim) connect(client, hub *simMember) {
	w := &simWire{client: client, hub: hub, h: newHub(hub.name, "", hub.opts.PingInterval, s.now)}
	client.hubs = append(client.hubs, w.h)
	s.wires = append(s.wires, w)
	s.raise(w)
}

func (s *sim) raise(w *simWire) {
	if w.up || w.client.dead || w.hub.dead {
		return
	}
	s.note("%s-%s up", w.client.name, w.hub.name)
	w.up, w.h.needHello, w.h.sentAll = true, true, time.Time{}
	w.connection++
}

// cut breaks a connection. The hub may notice only much later, when it expires.
func (s *sim) cut(w *simWire) {
	if !w.up {
		return
	}
	s.note("%s-%s cut", w.client.name, w.hub.name)
	w.up, w.there, w.back = false, nil, nil
	w.h.downSince = s.now
	if w.c != nil && s.rng.IntN(2) == 0 {
		w.c.downSince = s.now
	}
}

// address is that of the client's host: each member is on one of its own.
func (w *simWire) address(s *sim) string {
	return fmt.Sprintf("10.0.0.%d", 1+slices.Index(s.members, w.client)%200)
}

// sendAll has every member send what it has to.
func (s *sim) sendAll() {
	for _, w := range s.wires {
		if !w.up {
			continue
		}
		if w.h.needHello {
			w.h.needHello = false
			w.h.sent = 0
			w.client.table.resync(&w.h.link)
			w.there = append(w.there, msg{id: idHello})
		}
		send := func(queue *[]msg) func([]byte) bool {
			return func(frame []byte) bool {
				var m msg
				if err := m.parse(slices.Clone(frame)); err != nil {
					s.t.Fatal(err)
				}
				*queue = append(*queue, m)
				return true
			}
		}
		w.client.sendChangesTo(&w.h.link, s.now, send(&w.there))
		if w.c != nil {
			w.hub.sendChangesTo(w.c, s.now, send(&w.back))
		}
	}
}

// deliver takes the first frame of a wire to its end, and reports whether there was one.
func (s *sim) deliver(w *simWire, back bool) bool {
	queue := &w.there
	if back {
		queue = &w.back
	}
	if len(*queue) == 0 {
		return false
	}
	m := (*queue)[0]
	*queue = (*queue)[1:]
	switch {
	case back:
		w.h.heard, w.h.downSince, w.h.ownedDropped, w.h.othersResynced = s.now, time.Time{}, false, false
		if m.id == idInvalid {
			w.h.needHello = true
		} else {
			w.client.learn(&w.h.link, &m, s.now)
		}
	case m.id == idHello:
		key := []byte(w.h.instance)
		w.hub.onHello(w.c, fmt.Appendf(key, "%04d", w.connection), key[:len(key):len(key)], w.address(s), true, s.now)
		w.c = w.hub.clients[string(key)]
	case w.c == nil:
		w.back = append(w.back, msg{id: idInvalid})
	default:
		w.hub.learn(w.c, &m, s.now)
	}
	return true
}

// advance lets time pass. All frames arrive, and connected clients send PING.
func (s *sim) advance(d time.Duration) {
	for ; d > 0; d -= time.Second {
		s.flush()
		s.now = s.now.Add(time.Second)
		for _, w := range s.wires {
			if !w.up {
				continue
			}
			w.h.heard, w.h.downSince, w.h.ownedDropped, w.h.othersResynced = s.now, time.Time{}, false, false
			if w.c == nil && len(w.there) == 0 {
				w.h.needHello = true // the hub would answer PING with PONG and INVALID
			}
			if w.c != nil {
				w.c.heard, w.c.downSince = s.now, time.Time{}
			}
			if t := w.client.table.oursInTurn(0); t != nil && w.c != nil {
				w.there = append(w.there, msg{id: idPublish, key: []byte(t.key), value: []byte(t.value)})
			}
		}
		for _, m := range s.members {
			if m.dead {
				continue
			}
			m.table.tick(s.now)
			m.tickClients(s.now)
			for _, h := range m.hubs {
				if !h.downSince.IsZero() {
					m.tickLostHub(h, s.now)
				} else {
					m.resyncIfDue(h, s.now)
				}
			}
		}
		for _, w := range s.wires { // clients that the hub has forgotten
			if w.c != nil && w.hub.clients[w.h.instance] != w.c {
				w.c = nil
			}
		}
		s.sendAll()
	}
}

func (s *sim) step() {
	m := s.members[s.rng.IntN(len(s.members))]
	w := s.wires[s.rng.IntN(len(s.wires))]
	switch k := s.rng.IntN(100); {
	case k < 60:
		s.deliver(w, s.rng.IntN(2) == 0)
	case k < 75:
		s.advance(time.Duration(1+s.rng.IntN(4)) * time.Second)
	case k < 83 && !m.dead:
		m.own[m.name] = fmt.Sprint(s.rng.IntN(3))
		s.note("%s publishes %s", m.name, m.own[m.name])
		m.table.publish(m.name, m.own[m.name], s.now)
	case k < 86 && m.own[m.name] != "":
		s.note("%s takes back", m.name)
		delete(m.own, m.name)
		m.table.unpublish(m.name, s.now)
	case k < 92:
		s.cut(w)
	case k < 98:
		s.raise(w)
	case k == 99 && s.now.Second()%3 == 0:
		s.note("%s dies", m.name)
		for _, w := range s.wires {
			if w.client == m || w.hub == m {
				s.cut(w)
			}
		}
		m.dead, m.own = true, nil
	}
	s.sendAll()
}

// restart puts a new process in the place of a member. It publishes the same, another value or
// nothing.
func (s *sim) restart(m *simMember) *simMember {
	s.note("%s restarts", m.name)
	n := s.member(m.name)
	for _, w := range s.wires {
		if w.hub != m && w.client != m {
			continue
		}
		s.cut(w)
		w.c = nil // its hub keeps the link until it expires
		if w.hub == m {
			w.hub = n
		} else {
			w.client, w.h = n, newHub(w.hub.name, "", n.opts.PingInterval, s.now)
			n.hubs = append(n.hubs, w.h)
		}
	}
	if k := s.rng.IntN(3); k < 2 && m.own[m.name] != "" {
		n.own[m.name] = m.own[m.name] + strings.Repeat("'", k)
		n.table.publish(m.name, n.own[m.name], s.now)
	}
	m.dead, m.own = true, nil
	for _, w := range s.wires {
		if w.hub == n || w.client == n {
			s.raise(w)
		}
	}
	return n
}

// hellos counts the HELLOs that all members have said.
func (s *sim) hellos() (n uint64) {
	for _, w := range s.wires {
		n += w.h.epoch
	}
	return n
}

// want returns what a member must know: the tuples of all members that it is connected
// with, directly or not.
func (s *sim) want(of *simMember) map[string]string {
	near := map[*simMember]bool{of: true}
	for range s.members {
		for _, w := range s.wires {
			if w.up && (near[w.client] || near[w.hub]) {
				near[w.client], near[w.hub] = true, true
			}
		}
	}
	all := map[string]string{}
	for m := range near {
		maps.Copy(all, m.own)
	}
	return all
}

// Whatever happens to members and connections: some time after the last change each
// member knows all tuples of the members that it is connected with, directly or not. In a
// network without rings it knows nothing else. Then nobody says HELLO any more.
func TestGossip_random(t *testing.T) {
	t.Parallel()
	for seed := range simSeeds(800) {
		s := newSim(t, seed)
		s.build(seed%2 == 0)
		for range 50 + s.rng.IntN(300) {
			if m := s.members[s.rng.IntN(len(s.members))]; seed%4 < 2 && !m.dead && s.rng.IntN(40) == 0 {
				s.restart(m)
			}
			s.step()
		}
		for _, w := range s.wires {
			s.raise(w)
		}
		s.note("quiet")
		s.advance(150 * time.Second)
		s.checkQuiet(seed%2 == 0)
	}
}

// A hub that restarts without a tuple ends it, also where another hub has it by way of a client
// of both.
func TestGossip_restart(t *testing.T) {
	s := newSim(t, 1)
	h1, h2, a, p := s.member("h1"), s.member("h2"), s.member("a"), s.member("p")
	s.connect(a, h1)
	s.connect(a, h2)
	s.connect(p, h1)
	p.table.publish("p", "v", s.now)
	s.advance(20 * time.Second)
	s.restart(h1)
	s.cut(s.wires[2])
	p.dead = true
	s.advance(time.Minute)
	s.check(false)
}

// A tuple that is taken back in a ring of hubs is gone everywhere in the end, whatever is
// under way and however often connections break meanwhile.
func TestGossip_ring(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		s := newSim(t, seed)
		a, b, c, p := s.member("a"), s.member("b"), s.member("c"), s.member("p")
		s.connect(a, b)
		s.connect(b, c)
		s.connect(c, a)
		s.connect(p, a)
		s.connect(p, b)
		p.table.publish("p", "1", s.now)
		for i := range 120 {
			if i == 40 {
				p.table.unpublish("p", s.now)
			}
			switch w, k := s.wires[s.rng.IntN(len(s.wires))], s.rng.IntN(10); {
			case k < 7:
				s.deliver(w, s.rng.IntN(2) == 0)
			case k < 9:
				s.cut(w)
				s.raise(w)
			default:
				s.now = s.now.Add(100 * time.Millisecond)
			}
			s.sendAll()
		}
		s.advance(30 * time.Second)
		s.check(false)
	}
}

// build makes three hubs and four other members, and connects them.
func (s *sim) build(rings bool) {
	hubs := []*simMember{s.member("hub0")}
	for i := 1; i < 3; i++ {
		hubs = append(hubs, s.member(fmt.Sprint("hub", i)))
		s.connect(hubs[i], hubs[s.rng.IntN(i)])
	}
	for i := range 4 {
		m := s.member(fmt.Sprint("member", i))
		s.connect(m, hubs[i%3])
		if rings {
			s.connect(m, hubs[(i+1+s.rng.IntN(2))%3])
		}
	}
	if rings && s.rng.IntN(2) == 0 {
		s.connect(hubs[0], hubs[1+s.rng.IntN(2)])
	}
}

// flush delivers all frames on the way: those of one wire in their order, those of
// different wires in any order.
func (s *sim) flush() {
	for rounds := 0; ; rounds++ {
		s.sendAll()
		moved := false
		for range 4 * len(s.wires) {
			moved = s.deliver(s.wires[s.rng.IntN(len(s.wires))], s.rng.IntN(2) == 0) || moved
		}
		if !moved && !slices.ContainsFunc(s.wires, func(w *simWire) bool { return len(w.there)+len(w.back) > 0 }) {
			return
		}
		if rounds > 10_000 {
			s.check(false)
			s.t.Fatalf("seed %d: frames do not come to an end", s.seed)
		}
	}
}

func (s *sim) check(rings bool) {
	s.t.Helper()
	for _, m := range s.members {
		if m.dead {
			continue
		}
		got := map[string]string{}
		for key, t := range m.table.tuples {
			if !t.gone {
				got[key] = t.value
			}
		}
		want := s.want(m)
		for key := range got {
			if _, ok := want[key]; !ok && rings {
				delete(got, key) // two hubs can each own it because of the other
			}
		}
		if !maps.Equal(got, want) {
			for _, line := range s.trace[max(0, len(s.trace)-60):] {
				s.t.Log(line)
			}
			for _, w := range s.wires {
				s.t.Logf("%s is a client of %s, up %t", w.client.name, w.hub.name, w.up)
			}
			s.t.Fatalf("seed %d: %s knows %v, want %v", s.seed, m.name, got, want)
		}
	}
}

// checkQuiet checks what every member knows, and that after a while of quiet it stays so without a
// HELLO.
func (s *sim) checkQuiet(rings bool) {
	s.t.Helper()
	s.check(rings)
	s.advance(150 * time.Second)
	before := s.hellos()
	s.advance(time.Minute)
	if s.check(rings); s.hellos() != before {
		s.t.Fatalf("seed %d: %d HELLOs in a quiet minute, want none", s.seed, s.hellos()-before)
	}
}
