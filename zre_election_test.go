package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// When the leader goes, what a contestant has said of itself last holds: one that has said
// LEADER leads, and one that has said ELECT is supported.
func TestElection_leaderGoes(t *testing.T) {
	small, big := [16]byte{2}, [16]byte{3}
	type word struct {
		of [16]byte
		id uint8
	}
	leads, asks := word{big, LeaderID}, word{big, ElectID}
	leader := word{small, LeaderID}
	for i, c := range []struct {
		words []word
		leads bool // big does then; else it is supported
	}{
		{[]word{leader, leads}, true},
		{[]word{leads, leader}, true},
		{[]word{leads, leader, leader}, true},
		{[]word{leader, leads, leader}, true},
		{[]word{leader, asks}, false},
		{[]word{leader, asks, leads}, true},
		{[]word{leader, leads, asks}, false},
		{[]word{leads, leader, asks}, false},
	} {
		b := newZREBench(t)
		b.z.join(b.now, "G")
		next := map[[16]byte]uint16{small: 2, big: 2}
		say := func(uuid [16]byte, m *ZreMsg) {
			packet := packetOf(t, uuid, next[uuid], m)
			next[uuid]++
			b.z.receive(b.now, &packet)
			b.z.runElections(b.now)
		}
		for i, uuid := range [][16]byte{small, big} {
			hello := packetOf(t, uuid, 1, &ZreMsg{
				id: HelloID, Endpoint: fmt.Sprintf("tcp://10.0.0.%d:9", 8+i), Groups: []string{"G"}, Status: 1,
			})
			b.z.receive(b.now, &hello)
		}
		for _, w := range c.words {
			say(w.of, &ZreMsg{id: w.id, Group: "G", candidate: uuidString(w.of)})
		}
		e := b.z.elections["G"]
		if want := uuidString(small); e.leader != want {
			t.Errorf("%d: leader %q, want %q", i, e.leader, want)
		}
		say(small, &ZreMsg{id: LeaveID, Group: "G", Status: 2})
		want := ""
		if c.leads {
			want = uuidString(big)
		}
		if e.leader != want || e.supported != uuidString(big) {
			t.Errorf("%d: once the leader has gone: leader %q, supported %q, want %q and %q", i, e.leader, e.supported, want, uuidString(big))
		}
	}
}

// What a contestant has said while others stood before it counts once they are gone, also if a
// larger one leads or asks meanwhile.
func TestElection_claimHolds(t *testing.T) {
	const first, second, third = 0, 1, 2 // by their UUIDs
	type word struct {
		of int
		id uint8
	}
	for i, c := range []struct {
		words []word
		batch bool // they come in one round
	}{
		{[]word{{third, LeaderID}, {first, ElectID}, {second, ElectID}, {first, LeaveID}}, false},
		{[]word{{third, LeaderID}, {first, ElectID}, {second, ElectID}, {first, LeaveID}}, true},
		{[]word{{first, LeaderID}, {second, ElectID}, {first, LeaveID}, {third, ElectID}}, false},
		{[]word{{first, LeaderID}, {second, ElectID}, {first, LeaveID}, {third, ElectID}}, true},
	} {
		b := newZREBench(t)
		b.z.join(b.now, "G")
		uuids, next := [][16]byte{{2}, {3}, {4}}, []uint16{2, 2, 2}
		for i, uuid := range uuids {
			hello := packetOf(t, uuid, 1, &ZreMsg{
				id: HelloID, Endpoint: fmt.Sprintf("tcp://10.0.0.%d:9", 8+i), Groups: []string{"G"}, Status: 1,
			})
			b.z.receive(b.now, &hello)
		}
		b.z.runElections(b.now)
		for _, w := range c.words {
			m := &ZreMsg{id: w.id, Group: "G"}
			if w.id == LeaveID {
				m.Status = 2
			} else {
				m.candidate = uuidString(uuids[w.of])
			}
			packet := packetOf(t, uuids[w.of], next[w.of], m)
			next[w.of]++
			b.z.receive(b.now, &packet)
			if !c.batch {
				b.z.runElections(b.now)
			}
		}
		b.z.runElections(b.now)
		if e := b.z.elections["G"]; e.supported != uuidString(uuids[second]) {
			t.Errorf("%d: supported %q, want %q", i, e.supported, uuidString(uuids[second]))
		}
	}
}

// A leader whose last word to a member is that it asks to be supported says again that it leads,
// also if whom it asked has gone.
func TestElection_leaderAsksAgain(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.z.join(b.now, "G")
	b.hearID(JoinID)
	b.z.contest(b.now, "G")
	b.hear(&ZreMsg{id: ElectID, Group: "G", candidate: b.z.id})
	if last := b.port.sent[len(b.port.sent)-1]; last != "LEADER" {
		t.Fatalf("sent %q, want LEADER last", b.port.sent)
	}
	newcomer := [16]byte{9}
	hello := packetOf(t, newcomer, 1, &ZreMsg{id: HelloID, Endpoint: "tcp://10.0.0.77:9", Groups: []string{"G"}, Status: 1})
	b.z.receive(b.now, &hello)
	b.z.runElections(b.now)
	if !slices.Contains(b.port.sent[len(b.port.sent)-2:], "ELECT") {
		t.Fatalf("sent %q, want ELECT to both", b.port.sent)
	}
	b.port.forget()
	leave := packetOf(t, newcomer, 2, &ZreMsg{id: LeaveID, Group: "G", Status: 2})
	b.z.receive(b.now, &leave)
	b.z.runElections(b.now)
	if want := []string{"LEADER"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent %q once the newcomer has gone, want %q", b.port.sent, want)
	}
}

// A member that comes and goes causes a bounded number of elections, and the last change
// counts in the end.
func TestElection_changesAreLimited(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.z.join(b.now, "G")
	b.z.contest(b.now, "G")
	b.port.forget()
	const seconds = 10
	for range 100 * seconds {
		b.hearID(JoinID)
		b.z.advance(b.now)
		b.hearID(LeaveID)
		b.pass(10 * time.Millisecond)
	}
	elections := 0
	for _, name := range b.port.sent {
		if name == "ELECT" || name == "LEADER" {
			elections++
		}
	}
	if most := 2 * (electionBurst + electionRate*seconds); elections == 0 || elections > most {
		t.Errorf("a member that came and went %d times caused %d ELECT and LEADER, want 1 to %d", 100*seconds, elections, most)
	}
	if b.z.counters.electionsDelayed == 0 {
		t.Error("ElectionDelayed = 0, want what waited counted")
	}
	b.hearID(JoinID)
	b.port.forget()
	for range 40 {
		b.pass(100 * time.Millisecond)
	}
	if !slices.Contains(b.port.sent, "ELECT") {
		t.Errorf("sent %q after the last change, want an election", b.port.sent)
	}
}

// While members come and go more often than elections follow, the node waits for its turn to hold
// one. It does not try again and again what is due meanwhile, and in its turn does all of it.
func TestElection_delayedTimers(t *testing.T) {
	member, bystander, guest := [16]byte{2}, [16]byte{3}, [16]byte{4}
	for _, contests := range []bool{false, true} {
		b := newElectionBench(t, member, bystander, guest)
		if contests {
			b.z.contest(b.now, "G")
		} else {
			b.say(member, &ZreMsg{id: ElectID, candidate: uuidString(bystander)})
		}
		spins := 0
		for i := range 10 * (int(electionHearsay/time.Second) + 1) {
			b.say(guest, &ZreMsg{id: [...]uint8{LeaveID, JoinID}[i%2]})
			b.now = b.now.Add(100 * time.Millisecond)
			b.z.advance(b.now)
			if !b.z.tickAt.After(b.now) {
				spins++
			}
		}
		if b.z.counters.electionsDelayed == 0 {
			t.Fatal("no election was delayed")
		}
		if spins > 0 {
			t.Errorf("contests %t: %d timers are due again at once", contests, spins)
		}
		if e := b.z.elections["G"]; e.supported == uuidString(bystander) {
			t.Errorf("contests %t: the node supports a member that has not said in %v that it stands", contests, electionHearsay)
		}
	}
}

// A member that never answers is taken to consent once it has been asked for long enough, whatever
// the others do meanwhile, and no sooner.
func TestElection_silentAmongChanges(t *testing.T) {
	silent, larger, smaller := [16]byte{2}, [16]byte{3}, [16]byte{0, 1}
	const enough = 3 * electionShortest // to answer twice
	leaves, joins := ZreMsg{id: LeaveID}, ZreMsg{id: JoinID}
	leads := ZreMsg{id: LeaderID, candidate: uuidString(larger)}
	for name, c := range map[string]struct {
		other [16]byte
		every time.Duration
		words []ZreMsg // the other one's, in turn
	}{
		"comes and goes":               {larger, 1400 * time.Millisecond, []ZreMsg{leaves, joins}},
		"comes and goes, and fast":     {larger, 50 * time.Millisecond, []ZreMsg{leaves, joins}},
		"a smaller one comes and goes": {smaller, 1400 * time.Millisecond, []ZreMsg{leaves, joins}},
		"a larger one insists":         {larger, 1400 * time.Millisecond, []ZreMsg{leads}},
		"a larger one insists fast":    {larger, 50 * time.Millisecond, []ZreMsg{leads}},
	} {
		b := newElectionBench(t, silent, c.other)
		start := b.now
		b.z.contest(b.now, "G")
		leader := func() string { return b.z.elections["G"].leader }
		for i := 0; b.now.Before(start.Add(2*enough)) && leader() == ""; i++ {
			m := c.words[i%len(c.words)]
			b.say(c.other, &m)
			if m.id == JoinID { // it supports the smaller one of both
				b.say(c.other, &ZreMsg{id: ElectID, candidate: min(b.z.id, uuidString(c.other))})
			}
			for until := b.now.Add(c.every); b.now.Before(until) && leader() == ""; {
				b.pass(10 * time.Millisecond)
			}
		}
		if took := b.now.Sub(start); leader() != b.z.id || took < enough {
			t.Errorf("%s: leader %q after %v, want %q after %v to %v", name, leader(), took, b.z.id, enough, 2*enough)
		}
	}
}

// A member that takes part in elections is asked anew by each wave, and has its time to answer.
func TestElection_askedAnew(t *testing.T) {
	member, smaller := [16]byte{2}, [16]byte{0, 1}
	b := newElectionBench(t, member, smaller)
	b.z.contest(b.now, "G")
	b.say(member, &ZreMsg{id: ElectID, candidate: b.z.id})
	b.pass(electionAlone)
	for i, want := range []string{b.z.id, uuidString(smaller), "", b.z.id} {
		switch i {
		case 1:
			b.say(smaller, &ZreMsg{id: ElectID, candidate: uuidString(smaller)})
			b.say(smaller, &ZreMsg{id: LeaderID, candidate: uuidString(smaller)})
		case 2:
			b.say(smaller, &ZreMsg{id: LeaveID})
		case 3:
			b.pass(electionAlone)
		}
		if got := b.z.elections["G"].leader; got != want {
			t.Errorf("%d: leader %q, want %q", i, got, want)
		}
	}
}

// Who comes back has as much time to answer as one that comes in, whatever it had before.
func TestElection_askedWhenBack(t *testing.T) {
	silent, other := [16]byte{2}, [16]byte{3}
	b := newElectionBench(t, silent, other)
	b.z.contest(b.now, "G")
	b.pass(electionAlone - time.Millisecond)
	b.say(other, &ZreMsg{id: LeaveID})
	b.say(other, &ZreMsg{id: JoinID})
	b.pass(electionAlone - time.Millisecond)
	if leader := b.z.elections["G"].leader; leader != "" {
		t.Errorf("leader %q before the member that came back had its time, want none", leader)
	}
	b.pass(time.Millisecond)
	if leader := b.z.elections["G"].leader; leader != b.z.id {
		t.Errorf("leader %q, want %q", leader, b.z.id)
	}
}

// Who comes into a group in which a member is silent is told of the leader as soon as it answers.
func TestElection_newcomerAmongSilent(t *testing.T) {
	silent, newcomer := [16]byte{2}, [16]byte{9}
	b := newElectionBench(t, silent)
	b.z.contest(b.now, "G")
	b.pass(3 * time.Second)
	if leader := b.z.elections["G"].leader; leader != b.z.id {
		t.Fatalf("leader %q, want %q", leader, b.z.id)
	}
	b.enter(newcomer)
	b.port.forget()
	for range 2 { // it answers each question
		b.say(newcomer, &ZreMsg{id: ElectID, candidate: b.z.id})
	}
	if want := []string{"LEADER elsewhere", "LEADER elsewhere"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent %q when the newcomer had answered, want LEADER once to both members", b.port.sent)
	}
}

// A member that follows a smaller leader does not consent to another one, as long as that is so
// for what this node knows.
func TestElection_objects(t *testing.T) {
	leader, member, third := [16]byte{0, 1}, [16]byte{2}, [16]byte{3}
	names := func(of [16]byte) *ZreMsg { return &ZreMsg{id: LeaderID, candidate: uuidString(of)} }
	supports := func(of [16]byte) *ZreMsg { return &ZreMsg{id: ElectID, candidate: uuidString(of)} }
	self := [16]byte{1} // the bench
	type word struct {
		of [16]byte
		m  *ZreMsg
	}
	for name, c := range map[string]struct {
		words []word // they come after the member has named the leader
		wins  bool
	}{
		"it keeps to that":                    {nil, false},
		"it says so again":                    {[]word{{member, names(leader)}}, false},
		"it supports that one again":          {[]word{{member, supports(leader)}}, false},
		"all others support this node":        {[]word{{third, supports(self)}}, false},
		"it supports this node":               {[]word{{member, supports(self)}}, true},
		"it supports this node, and then not": {[]word{{member, supports(self)}, {member, names(leader)}}, false},
		"it supports another one":             {[]word{{member, supports(third)}}, true},
		"it follows another one":              {[]word{{member, names(third)}}, true},
		"it follows this node":                {[]word{{member, names(self)}}, true},
		"it stands itself":                    {[]word{{member, supports(member)}}, true},
		"it goes":                             {[]word{{member, &ZreMsg{id: LeaveID}}}, true},
		"it goes and comes":                   {[]word{{member, &ZreMsg{id: LeaveID}}, {member, &ZreMsg{id: JoinID}}}, true},
		"the leader goes":                     {[]word{{leader, &ZreMsg{id: LeaveID}}}, true},
		"the leader goes and comes":           {[]word{{leader, &ZreMsg{id: LeaveID}}, {leader, &ZreMsg{id: JoinID}}}, true},
		"that one supports this node":         {[]word{{leader, supports(self)}}, true},
	} {
		b := newElectionBench(t, leader, member, third)
		b.say(member, names(leader))
		b.z.contest(b.now, "G")
		for _, w := range c.words {
			b.say(w.of, w.m)
		}
		b.pass(electionHearsay + 2*electionAlone)
		want := ""
		if c.wins {
			want = b.z.id
		}
		if got := b.z.elections["G"].leader; got != want {
			t.Errorf("%s: leader %q, want %q", name, got, want)
		}
	}
}

// electionBench is a zre in group G, with members that say what a test has them say.
type electionBench struct {
	*zreBench
	next map[[16]byte]uint16 // the sequence number of each member's next message
}

func newElectionBench(t *testing.T, members ...[16]byte) *electionBench {
	t.Helper()
	b := &electionBench{newZREBench(t), map[[16]byte]uint16{}}
	b.z.join(b.now, "G")
	for _, uuid := range members {
		b.enter(uuid)
	}
	return b
}

// enter has a member say HELLO.
func (b *electionBench) enter(uuid [16]byte) {
	b.say(uuid, &ZreMsg{id: HelloID, Endpoint: fmt.Sprintf("tcp://10.0.0.%d:9", 10+len(b.next)), Groups: []string{"G"}, Status: 1})
}

// say has a member say something about G.
func (b *electionBench) say(uuid [16]byte, m *ZreMsg) {
	b.t.Helper()
	b.next[uuid]++
	if m.id != HelloID {
		m.Group = "G"
	}
	packet := packetOf(b.t, uuid, b.next[uuid], m)
	b.z.receive(b.now, &packet)
	b.z.advance(b.now)
}
