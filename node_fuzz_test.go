package zyre

import "testing"

// FuzzNode lets bytes choose what happens on a network, hostile messages included.
// After every step the tables must agree, the events be in order and no receipt be
// settled twice; in the end all nodes must see each other.
func FuzzNode(f *testing.F) {
	f.Add([]byte("zyre"))
	f.Add([]byte{0, 10, 0, 10, 1, 10, 2, 99, 4, 3, 2, 1, 0, 250, 251, 252, 253, 254, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		s := newSim(t, 1)
		s.hwm = 8
		s.nodes(2)
		pick := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := int(data[0])
			data = data[1:]
			return b % n
		}
		for len(data) > 0 {
			if pick(4) == 0 {
				simHostile(s, pick)
			} else {
				simStep(s, pick)
			}
		}
		simRecover(s, 2*simHealing) // what forgers claimed has to expire, one after the other
	})
}

// simHostile gives a node a message or beacon that was forged.
func simHostile(s *sim, pick func(n int) int) {
	if len(s.hosts) == 0 {
		return
	}
	s.forged = true
	h, ours := s.hosts[pick(len(s.hosts))].(*simNode)
	if !ours || h.frozen() || simPaused(h) {
		return
	}
	other := s.hosts[pick(len(s.hosts))].base()
	uuid, endpoint := [16]byte{byte(1 + pick(3))}, "tcp://10.0.0.9:9"
	if pick(2) == 0 {
		uuid = other.uuid
	}
	if pick(2) == 0 {
		endpoint = other.endpoint
	}
	seq := uint16(1)
	if p := h.n.zre.peers[uuid]; p != nil && pick(2) == 0 {
		seq = p.in.next
	}
	s.note("forged: %s at %s to %s", simName(uuid), endpoint, simName(h.uuid))
	switch pick(6) {
	case 0:
		h.sight(uuid, endpoint)
	case 1:
		h.bye(uuid)
	case 2:
		h.hear(uuid, 1, simHello(endpoint, "A", "B"))
	case 3:
		h.hear(uuid, seq, &ZreMsg{id: uint8(1 + pick(10)), Endpoint: endpoint, Group: "A"})
	case 4:
		header := appendPlain(nil, byte(pick(256)), seq)
		h.take(uuid, header[:pick(len(header)+1)], nil)
	case 5:
		if p := h.n.zre.peers[uuid]; p != nil && p.mailbox != nil {
			conn := p.mailbox.(*simConn)
			conn.broken = errBroken
			h.n.zre.ping(s.now, p)
			conn.broken = nil
			h.turn()
		}
	}
}

// TestNode_hostileNetwork is the fuzz target with bytes from a generator.
func TestNode_hostileNetwork(t *testing.T) {
	for seed := int64(1); seed <= *simSeeds/10; seed++ {
		s := newSim(t, seed)
		s.hwm = 8
		s.nodes(3)
		for range 200 {
			if s.rng.Intn(4) == 0 {
				simHostile(s, s.rng.Intn)
			} else {
				simStep(s, s.rng.Intn)
			}
		}
		s.late = nil
		simRecover(s, 2*simHealing) // what forgers claimed has to expire, one after the other
	}
}
