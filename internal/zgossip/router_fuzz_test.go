package zgossip

import (
	"fmt"
	"testing"
	"time"
)

// scriptRouter is the socket of a hub whose clients are played by a script. Some of them take
// nothing.
type scriptRouter struct {
	Router
	script []byte
}

func (r *scriptRouter) byte() (b byte) {
	if len(r.script) > 0 {
		b, r.script = r.script[0], r.script[1:]
	}
	return b
}

// ReceiveFrom makes a message of one of 8 clients at one of 4 hosts: a command, or whatever
// the script says. Every other client has the routing id of one of this package.
func (r *scriptRouter) ReceiveFrom(parts [][]byte) (n int, from Origin, err error) {
	what, who := r.byte(), r.byte()
	client, connection := who%8, who/8%4
	parts[0] = fmt.Appendf(nil, "client%d%d", client, connection)
	if client%2 == 0 {
		parts[0] = fmt.Appendf(nil, "%s%08d%04d", routingTag, client, connection)
	}
	from.Address = fmt.Sprint("10.0.0.", client%4)
	switch what % 8 {
	case 0:
		parts[1] = appendHead(nil, idHello)
	case 1:
		parts[1] = appendHead(nil, idPing)
	case 2, 3, 4:
		parts[1] = appendPublish(nil, fmt.Sprint("key", r.byte()%32), fmt.Sprint("value", what/64), 0)
	case 5:
		parts[1] = appendPublish(nil, fmt.Sprint("key", r.byte()%32), "|", 0)
	case 6:
		parts[1] = appendPublish(nil, "own", "stolen", 0)
	case 7:
		size := min(int(r.byte()), len(r.script))
		parts[1], r.script = r.script[:size:size], r.script[size:]
	}
	n = 2
	if who >= 224 {
		n = int(who) // of very many frames
	}
	return n, from, nil
}

func (r *scriptRouter) SendTo(id, _ []byte) error {
	if id[len(id)-1]%4 == 3 {
		return errPartial // whatever it is: the client takes nothing
	}
	return nil
}

// FuzzHub lets clients send a hub what they like. Its limits hold, what is charged to a host is
// what its clients have, and what the hub publishes itself stays.
func FuzzHub(f *testing.F) {
	var full []byte
	for client := range byte(8) {
		full = append(full, 0, client, 0)
		for key := range byte(4) {
			full = append(full, 2, client, client*4+key, 0)
		}
	}
	f.Add(full)
	f.Add(append(full, 5, 1, 4, 10, 66, 9, 4, 1, 6, 1, 0, 0, 1, 0, 1, 8, 255, 0, 17, 255))
	f.Add([]byte{0, 1, 0, 7, 1, 13, 0xAA, 0xA0, 2, 1, 1, 'k', 0, 0, 0, 2, 'v', 0, 0, 0, 7, 1, 9, 0xAA, 0xA0, 2, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 2, 225, 3, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := &scriptRouter{script: script}
		o := Options{MaxTuples: 12, MaxClients: 5}
		setDefaults(&o)
		g := &Gossip{opts: o, log: o.Logger, table: newTable(o.MaxTuples), clients: map[string]*link{}, hosts: map[string]*host{}, router: r}
		now := time.Unix(1e9, 0)
		g.table.publish("own", "1", now)
		for len(r.script) > 0 {
			g.readRouter(now, 1)
			now = now.Add(time.Duration(r.byte()) * 20 * time.Millisecond)
			g.tick(now)
			g.sendChanges(now)
			checkHub(t, g)
		}
	})
}

// checkHub fails the test unless what a hub holds fits together and stays within its limits.
func checkHub(t *testing.T, g *Gossip) {
	t.Helper()
	live, owned := 0, map[*link]int{}
	for _, tuple := range g.table.tuples {
		if !tuple.gone {
			live++
		}
		if tuple.owner != nil {
			owned[tuple.owner]++
		}
		if len(tuple.key) > MaxKey || len(tuple.value) > MaxValue {
			t.Fatalf("a tuple of %d and %d bytes", len(tuple.key), len(tuple.value))
		}
	}
	type charged struct{ clients, owned int }
	byHost := map[*host]charged{}
	for _, c := range g.clients {
		if owned[c] != c.owned {
			t.Fatalf("client %x owns %d tuples, by its count %d", c.id, owned[c], c.owned)
		}
		h := byHost[c.host]
		byHost[c.host] = charged{h.clients + 1, h.owned + c.owned}
		delete(owned, c)
	}
	if len(owned) > 0 {
		t.Fatalf("%d clients that are gone own tuples", len(owned))
	}
	for _, h := range g.hosts {
		if (charged{h.clients, h.owned}) != byHost[h] {
			t.Fatalf("a host has %+v, by its count %+v", byHost[h], *h)
		}
		checkHost(t, g, h)
		if h.owned > g.opts.MaxTuples/2 {
			t.Fatalf("the clients of a host own %d tuples of %d", h.owned, g.opts.MaxTuples)
		}
	}
	if live > g.opts.MaxTuples || live != g.table.live || len(g.clients) > g.opts.MaxClients {
		t.Fatalf("%d tuples, by their count %d, and %d clients", live, g.table.live, len(g.clients))
	}
	if own := g.table.tuples["own"]; own == nil || own.gone || own.value != "1" {
		t.Fatalf("the hub's own tuple is %+v", own)
	}
}

// checkHost fails the test unless the tuples of a host and its places in the rankings are those that
// its counts say.
func checkHost(t *testing.T, g *Gossip, h *host) {
	t.Helper()
	listed := 0
	for tuple := h.latest; tuple != nil; tuple = tuple.earlier {
		if listed++; tuple.owner == nil || tuple.owner.account() != h || g.table.tuples[tuple.key] != tuple {
			t.Fatalf("tuple %q is listed at a host that does not own it", tuple.key)
		}
	}
	if listed != h.owned {
		t.Fatalf("%d tuples are listed at a host that owns %d", listed, h.owned)
	}
	for _, r := range []*ranking{&g.table.owners, &g.greedy} {
		most, count := 0, r.count(h)
		if first := r.greediest(); first != nil {
			most = r.count(first)
		}
		if place := *r.place(h); (place > 0) != (count > 0) || place > 0 && r.hosts[place-1] != h || count > most {
			t.Fatalf("a host with %d has place %d of %d, and the first has %d", count, place, len(r.hosts), most)
		}
	}
}
