package zgossip

import (
	"fmt"
	"testing"
	"time"
)

// limited adds a member that keeps few tuples.
func (s *sim) limited(name string, limit int) *simMember {
	m := s.member(name)
	m.table = newTable(limit)
	return m
}

// publishes has m publish so many tuples.
func (m *simMember) publishes(s *sim, count int) {
	for i := range count {
		key := m.name
		if i > 0 {
			key += fmt.Sprint(i)
		}
		m.own[key] = "v"
		m.table.publish(key, "v", s.now)
	}
}

// leave ends a member without a goodbye.
func (s *sim) leave(m *simMember) {
	for _, w := range s.wires {
		if w.client == m || w.hub == m {
			s.cut(w)
		}
	}
	m.dead, m.own = true, nil
}

// knows reports whether m knows the tuple of another member.
func (m *simMember) knows(other *simMember) bool {
	t := m.table.tuples[other.name]
	return t != nil && !t.gone
}

// checkKnow fails the test unless these members know each other.
func (s *sim) checkKnow(members ...*simMember) {
	s.t.Helper()
	for _, m := range members {
		for _, other := range members {
			if m != other && !m.knows(other) {
				s.t.Errorf("seed %d: %s does not know %s", s.seed, m.name, other.name)
			}
		}
	}
}

// A hub that is the client of a hub full of strangers' tuples has places for its own clients; its
// own hub loses nothing by that. When the strangers are gone all know all.
func TestGossip_fullHub(t *testing.T) {
	const limit = 20
	for seed := range uint64(20) {
		s := newSim(t, seed)
		b, a := s.limited("b", limit), s.limited("a", limit)
		x, y, early := s.member("x"), s.member("y"), s.member("early")
		x.publishes(s, limit)
		y.publishes(s, limit)
		early.publishes(s, 1)
		s.connect(early, b)
		s.connect(a, b)
		s.advance(2 * time.Second)
		s.connect(x, b)
		s.connect(y, b)
		s.advance(5 * time.Second)
		if a.table.live != limit {
			t.Fatalf("seed %d: a knows %d tuples, want %d", seed, a.table.live, limit)
		}
		p, q := s.limited("p", limit), s.limited("q", limit)
		for _, m := range []*simMember{p, q} {
			m.publishes(s, 1)
			s.connect(m, a)
			s.advance(5 * time.Second)
		}
		s.checkKnow(p, q, early)
		late := s.limited("late", limit)
		late.publishes(s, 1)
		s.connect(late, b)
		s.advance(5 * time.Second)
		s.checkKnow(p, q, early, late)
		if b.table.live != limit {
			t.Errorf("seed %d: b knows %d tuples, want %d: none was taken back for want of room at a", seed, b.table.live, limit)
		}
		s.leave(x)
		s.leave(y)
		s.advance(time.Minute)
		s.check(false)
	}
}

// What one of two hubs is filled with takes no places of those who come to the other one, whichever
// their clients have known for longer.
func TestGossip_fullHubOfTwo(t *testing.T) {
	const limit = 20
	for seed := range uint64(20) {
		s := newSim(t, seed)
		full, good := s.limited("full", limit), s.limited("good", limit)
		x, y := s.member("x"), s.member("y")
		x.publishes(s, limit)
		y.publishes(s, limit)
		s.connect(x, full)
		s.connect(y, full)
		p, q, late := s.limited("p", limit), s.limited("q", limit), s.limited("late", limit)
		s.connect(p, full)
		s.advance(5 * time.Second)
		if p.table.live != limit {
			t.Fatalf("seed %d: p knows %d tuples, want %d", seed, p.table.live, limit)
		}
		s.connect(q, good)
		for _, m := range []*simMember{p, q, late} {
			m.publishes(s, 1)
		}
		s.connect(p, good)
		s.connect(q, full)
		s.connect(late, good)
		s.advance(5 * time.Second)
		s.checkKnow(p, q, late)
	}
}

// A tuple that gave way at a client of two hubs ends at the second hub all the same.
func TestGossip_fullBetweenHubs(t *testing.T) {
	s := newSim(t, 1)
	b1, b2, a := s.member("b1"), s.member("b2"), s.limited("a", 4)
	x, p := s.member("x"), s.member("p")
	s.connect(a, b1)
	s.connect(a, b2)
	s.connect(x, b1)
	x.publishes(s, 4)
	s.advance(20 * time.Second)
	p.publishes(s, 1)
	s.connect(p, a)
	s.advance(time.Second)
	if !b2.knows(p) || !a.table.tuples["x1"].gone {
		t.Fatalf("b2 knows p %t; a keeps %d tuples, want p in the place of x1", b2.knows(p), a.table.live)
	}
	delete(x.own, "x1")
	x.table.unpublish("x1", s.now)
	s.advance(time.Minute)
	s.check(false)
}

// Whatever happened while tables were full: some time after there is room each member knows all.
func TestGossip_randomFull(t *testing.T) {
	t.Parallel()
	for seed := range simSeeds(300) {
		s := newSim(t, seed)
		s.build(seed%2 == 0)
		for _, m := range s.members {
			m.table.max = 2 + s.rng.IntN(6)
		}
		for range 50 + s.rng.IntN(300) {
			if m := s.members[s.rng.IntN(len(s.members))]; seed%4 < 2 && !m.dead && s.rng.IntN(40) == 0 {
				s.restart(m).table.max = 2 + s.rng.IntN(6)
			}
			s.step()
			for _, m := range s.members {
				if m.table.live > m.table.max+1 { // and its own
					t.Fatalf("seed %d: %s keeps %d tuples, want %d at most", seed, m.name, m.table.live, m.table.max+1)
				}
			}
		}
		for _, w := range s.wires {
			s.raise(w)
		}
		for _, m := range s.members {
			m.table.max = 100
		}
		s.note("room")
		s.advance(240 * time.Second)
		s.checkQuiet(seed%2 == 0)
	}
}
