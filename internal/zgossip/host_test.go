package zgossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// However many hosts there are, few of them are looked at to keep the ranking, and none to ask it.
func TestRanking(t *testing.T) {
	const count, most = 4096, 3 * 12 // comparisons: three at each level of the heap
	rng := rand.New(rand.NewPCG(1, 0))
	all := make([]*host, count)
	for i := range all {
		all[i] = &host{}
	}
	r := ranking{}
	for i := range 10 * count {
		h := all[rng.IntN(count)]
		h.clients = max(0, h.clients+rng.IntN(3)-1)
		r.steps = 0
		if r.update(h); r.steps > most {
			t.Fatalf("update() compares hosts %d times, want %d at most", r.steps, most)
		}
		if i%100 != 0 {
			continue
		}
		want := slices.MaxFunc(all, func(a, b *host) int { return a.clients - b.clients })
		if got := r.greediest(); got == nil && want.clients > 0 || got != nil && got.clients != want.clients {
			t.Fatalf("greediest() = %+v, want one with %d", got, want.clients)
		}
	}
	for _, h := range all {
		h.clients = 0
		r.update(h)
	}
	if r.greediest() != nil {
		t.Error("greediest() of hosts that have nothing is one of them, want nil")
	}
}

// The tuple in the middle of those of a host is known, in whatever order they come and go.
func TestHost_middle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	h := &host{}
	var all []*tuple
	for range 20_000 {
		if len(all) == 0 || rng.IntN(5) < 2+rng.IntN(2) {
			all = append(all, &tuple{})
			h.addTuple(all[len(all)-1])
		} else {
			i := rng.IntN(len(all))
			h.removeTuple(all[i])
			all = slices.Delete(all, i, i+1)
		}
		var middle, latest *tuple
		if len(all) > 0 {
			middle, latest = all[(len(all)-1)/2], all[len(all)-1]
		}
		if h.middle != middle || h.latest != latest || h.owned != len(all) {
			t.Fatalf("of %d tuples the host has %d, and another is its latest or in the middle", len(all), h.owned)
		}
	}
}

// fillTable makes a full table: one host has half of the places, one has less by one, and one has a
// single place.
func fillTable(limit int, now time.Time) (tb *table, half, less, single *link) {
	tb = newTable(limit)
	half, less, single = &link{host: &host{}}, &link{host: &host{}}, &link{host: &host{}}
	for i := range limit / 2 {
		tb.say(half, fmt.Sprintf("half%d=v", i), now)
		if i > 0 {
			tb.say(less, fmt.Sprintf("less%d=v", i), now)
		}
	}
	tb.say(single, "single=v", now)
	return tb, half, less, single
}

// A tuple that finds a full table costs no walk over it, be it refused or taken in the place of
// another.
func TestTable_fullWithoutWalk(t *testing.T) {
	now := time.Now()
	const limit, count, most = 1000, 100, 20
	tb, half, less, single := fillTable(limit, now)
	tb.tuples["whoever walks over the table meets this"] = nil
	for _, c := range []struct {
		name string
		l    *link
		want outcome
	}{{"half", half, tupleRefused}, {"less", less, tupleRefused}, {"single", single, tupleNew}} {
		tb.owners.steps = 0
		for i := range count {
			if got := tb.say(c.l, fmt.Sprintf("%s more%d=v", c.name, i), now); got != c.want {
				t.Fatalf("learn(further tuple of %s) = %v, want %v", c.name, got, c.want)
			}
		}
		if tb.owners.steps > most*count {
			t.Errorf("%d tuples of %s compare hosts %d times, want %d each at most", count, c.name, tb.owners.steps, most)
		}
	}
	if tb.live != limit {
		t.Errorf("%d tuples, want %d", tb.live, limit)
	}
}

// A HELLO that finds a hub with all the clients that it may have costs no walk over their hosts.
func TestHub_fullWithoutWalk(t *testing.T) {
	g, come := newHubOf(Options{MaxClients: 8})
	for i := range g.opts.MaxClients {
		come(fmt.Sprint("client", i), fmt.Sprintf("10.0.0.%d", 1+i/2))
	}
	g.hosts["whoever walks over the hosts meets this"] = nil
	come("refused", "10.0.0.1")
	if g.stats.Refused != 1 || g.stats.Evicted != 0 {
		t.Errorf("a client of a host that has most: %+v, want it refused", g.stats)
	}
	come("new", "10.0.0.99")
	if g.clients["new"] == nil || g.stats.Evicted != 1 {
		t.Errorf("a client of a new host: %+v, want a place for it", g.stats)
	}
}

// What a tuple costs that finds a full table does not depend on the size of the table.
func BenchmarkTable_full(b *testing.B) {
	for _, limit := range []int{100, 10_000} {
		b.Run(fmt.Sprint("refused/", limit), func(b *testing.B) {
			now := time.Now()
			tb, _, less, _ := fillTable(limit, now)
			key, value := []byte("more"), []byte("v")
			b.ReportAllocs()
			for b.Loop() {
				if tb.learn(less, key, value, now) != tupleRefused {
					b.Fatal("a tuple is taken, want it refused")
				}
			}
		})
	}
}
