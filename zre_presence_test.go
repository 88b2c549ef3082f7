package zyre

import (
	"slices"
	"testing"
	"time"
)

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name                      string
		timeouts                  timeouts
		verify, answer, pingAfter time.Duration
	}{
		{"the defaults", timeouts{5 * time.Second, 10 * time.Second, 30 * time.Second}, time.Second, time.Second, 5 * time.Second},
		{"short", timeouts{100 * time.Millisecond, time.Second, time.Second}, 100 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond},
		{"silent before evasive", timeouts{5 * time.Second, 3 * time.Second, 30 * time.Second}, time.Second, time.Second, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v, a, p := c.timeouts.verify(), c.timeouts.answer(), c.timeouts.pingAfter(); v != c.verify || a != c.answer || p != c.pingAfter {
				t.Errorf("verify, answer, pingAfter = %v, %v, %v, want %v, %v, %v", v, a, p, c.verify, c.answer, c.pingAfter)
			}
		})
	}
}

// Without a ping that has gone unanswered for a while, no silence is reported.
func TestPresence_unanswered(t *testing.T) {
	limits := timeouts{evasive: 5 * time.Second, silent: 10 * time.Second, expired: 30 * time.Second}
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name            string
		pingedAfter     time.Duration // 0: never
		at              time.Duration
		evasive, silent bool
	}{
		{"not pinged", 0, 20 * time.Second, false, false},
		{"pinged just now", 20 * time.Second, 20 * time.Second, false, false},
		{"pinged early, silent for too short", time.Second, 4 * time.Second, false, false},
		{"evasive", 5 * time.Second, 6 * time.Second, true, false},
		{"evasive and silent", 5 * time.Second, 10 * time.Second, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{heardAt: start}
			if c.pingedAfter > 0 {
				pr.pinged(start.Add(c.pingedAfter))
			}
			now := start.Add(c.at)
			if e, s := pr.becomeEvasive(now, &limits), pr.becomeSilent(now, &limits); e != c.evasive || s != c.silent {
				t.Errorf("becomeEvasive, becomeSilent = %t, %t, want %t, %t", e, s, c.evasive, c.silent)
			}
		})
	}
}

// Each is reported once in a silence, and again in the next.
func TestPresence_once(t *testing.T) {
	limits := timeouts{evasive: time.Second, silent: time.Second, expired: time.Minute}
	now := time.Unix(1e9, 0)
	pr := presence{heardAt: now}
	for silence := range 2 {
		pr.pinged(now)
		now = now.Add(2 * time.Second)
		reports := 0
		for range 3 {
			if pr.becomeEvasive(now, &limits) {
				reports++
			}
		}
		if reports != 1 {
			t.Errorf("silence %d: EVASIVE %d times, want once", silence, reports)
		}
		pr.heard(now)
	}
}

// Of several pings the first is the one whose answer is late.
func TestPresence_firstPingCounts(t *testing.T) {
	start := time.Unix(1e9, 0)
	pr := presence{heardAt: start}
	pr.pinged(start)
	pr.pinged(start.Add(time.Second))
	if !pr.pingedAt.Equal(start) {
		t.Errorf("pinged at %v, want %v", pr.pingedAt, start)
	}
}

// A message taken is a sign of life, but does not answer a ping.
func TestPresence_tookMessage(t *testing.T) {
	start := time.Unix(1e9, 0)
	pr := presence{heardAt: start}
	pr.pinged(start)
	pr.tookMessage(start.Add(time.Minute))
	if pr.idle(start.Add(time.Minute)) != 0 || pr.state != presencePinged {
		t.Errorf("idle %v, state %s, want 0s, %s", pr.idle(start.Add(time.Minute)), pr.state, presencePinged)
	}
}

func TestPresence_pingAnswered(t *testing.T) {
	for _, c := range []struct {
		name         string
		before, want int32
	}{{"one of two", 2, 1}, {"the last", 1, 0}, {"one too many", 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{unanswered: c.before}
			if pr.pingAnswered(); pr.unanswered != c.want {
				t.Errorf("unanswered = %d, want %d", pr.unanswered, c.want)
			}
		})
	}
}

// Time in which the node did not run is nobody's silence.
func TestPresence_shift(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name   string
		pinged bool
	}{{"pinged", true}, {"not pinged", false}} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{heardAt: start}
			if c.pinged {
				pr.pinged(start)
			}
			pr.shift(time.Hour)
			if pr.idle(start.Add(time.Hour)) != 0 || pr.isPinged() != c.pinged {
				t.Errorf("after shift: idle %v, pinged %t, want 0s, %t", pr.idle(start.Add(time.Hour)), pr.isPinged(), c.pinged)
			}
		})
	}
}

// simTimes makes a configuration with other timeouts.
func simTimes(evasive, silent, expired time.Duration) func(*config, *simSite) {
	return func(cfg *config, _ *simSite) { cfg.evasive, cfg.silent, cfg.expired = evasive, silent, expired }
}

// Idle and healthy for ten minutes: no event, and few messages.
func TestNode_idle(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(10 * time.Minute)
	if len(a.history) != 1 || len(b.history) != 1 {
		t.Errorf("history = %q, %q; want one ENTER each", a.history, b.history)
	}
	if got := a.n.zre.peers[b.uuid].out.last; got > 10*60/5*2+10 {
		t.Errorf("messages sent = %d, want at most a PING and a PING-OK each 5 s", got)
	}
}

// A peer dies: each event once, at its time.
func TestNode_deadPeer(t *testing.T) {
	for _, c := range []struct{ evasive, silent, expired time.Duration }{
		{5 * time.Second, 10 * time.Second, 30 * time.Second},
		{5 * time.Second, 3 * time.Second, 30 * time.Second},
		{100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
		{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond},
		{time.Hour, 2 * time.Hour, 5 * time.Hour},
		{time.Second, 10 * time.Second, 3 * time.Second},
	} {
		s := newSim(t, 1)
		a := s.node(simTimes(c.evasive, c.silent, c.expired))
		peer := [16]byte{1}
		a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
		start, at := s.now, map[string]time.Duration{}
		for seen := 1; s.now.Sub(start) < c.expired+3*time.Second; seen = len(a.history) {
			step := a.n.zre.tickAt.Sub(s.now)
			s.advance(max(step, time.Millisecond))
			for _, line := range a.history[seen:] {
				if at[line] != 0 {
					t.Errorf("%v: %q twice", c, line)
				}
				at[line] = s.now.Sub(start)
			}
		}
		answer := a.n.zre.timeouts.answer()
		ping := min(c.evasive, c.silent-answer)
		for _, want := range []struct {
			event string
			due   time.Duration
		}{
			{EventEvasive, max(c.evasive, ping+answer)},
			{EventSilent, max(c.silent, ping+answer)},
			{EventExit, c.expired},
		} {
			got, seen := at[want.event+" 0100"]
			if due := want.due < c.expired; due && !seen || seen && (got < min(want.due, c.expired) || got > want.due+2*a.n.zre.tickInterval) {
				t.Errorf("%v: %s after %v, want %v and at most %v more", c, want.event, got, want.due, 2*a.n.zre.tickInterval)
			}
		}
	}
}

// A peer dies as soon as it has entered: what the application sends to it while the node
// wonders whether its HELLO was lost is no reason for one more EXIT and ENTER.
func TestNode_deadNewcomer(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(nil)
	peer := [16]byte{1}
	a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
	p := a.n.zre.peers[peer]
	for !p.probe.isPending() && a.n.zre.peers[peer] == p {
		s.advance(100 * time.Millisecond)
	}
	a.whisper(peer)
	s.run(time.Minute)
	want := []string{"ENTER 0100", "EVASIVE 0100", "SILENT 0100", "EXIT 0100"}
	if !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// A peer that talks without end, and whose pings are stuck behind what it said, hears
// from a node that has nothing to say.
func TestNode_listener(t *testing.T) {
	s, a, peer := simStranger(t)
	p := a.n.zre.peers[peer]
	before := p.sent
	const seconds = 60
	for i := range seconds {
		a.hear(peer, uint16(i+2), NewZreMsg(WhisperID))
		s.advance(time.Second)
	}
	if got, want := int(p.sent-before), int(seconds*time.Second/defaultSilent); got < want-1 || got > want {
		t.Errorf("messages = %d in %d s, want %d", got, seconds, want)
	}
	if len(a.history) != 1 {
		t.Errorf("history = %q, want one ENTER", a.history)
	}
}

// Two nodes with different timeouts get along: an answered ping gives no event.
func TestNode_differentTimeouts(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(simTimes(500*time.Millisecond, time.Second, 2*time.Second))
	b := s.node(simTimes(time.Hour, time.Hour, time.Hour))
	s.run(time.Minute)
	if len(a.history) != 1 || len(b.history) != 1 {
		t.Errorf("history = %q, %q; want one ENTER each", a.history, b.history)
	}
}

// A sign of life resets EVASIVE and SILENT.
func TestNode_recovery(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(nil)
	peer := [16]byte{1}
	a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
	for seq := range uint16(2) {
		for range 12 {
			s.advance(time.Second)
		}
		a.hear(peer, seq+2, NewZreMsg(PingOkID))
	}
	want := []string{"ENTER 0100", "EVASIVE 0100", "SILENT 0100", "EVASIVE 0100", "SILENT 0100"}
	if !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// simDeaf returns three nodes that have met. The application of the first, whose queue is small, reads
// no more, and the second has sent it so many messages since.
func simDeaf(t *testing.T, messages int) (s *sim, deaf, sender, other *simNode) {
	s = newSim(t, 1)
	deaf = s.node(func(cfg *config, _ *simSite) { cfg.queueLimit = minQueueLimit })
	sender, other = s.node(nil), s.node(nil)
	s.run(2 * time.Second)
	deaf.deaf = true
	for range messages {
		sender.whisper(deaf.uuid)
	}
	s.settle()
	return s, deaf, sender, other
}

// While the application is behind, nobody expires and no probe ends: the answer
// may lie in the inbox. Our own pings go out.
func TestNode_pausedPatience(t *testing.T) {
	const messages = minQueueLimit/eventOverhead + 100
	s, a, b, c := simDeaf(t, messages)
	a.n.pause(s.now)
	a.hear([16]byte{1}, 1, simHello(b.endpoint))
	a.n.zre.startProbe(s.now, a.n.zre.peers[c.uuid], probe{kind: probeGoodbye})
	s.run(2 * time.Minute)
	if got := a.n.zre.entered; got != 2 || !a.n.paused {
		t.Errorf("peers = %d, paused %t; want 2, true", got, a.n.paused)
	}
	for _, o := range []*simNode{b, c} {
		if len(o.history) != 2 {
			t.Errorf("history of a peer = %q, want two ENTERs", o.history)
		}
	}
	a.deaf = false
	s.run(5 * time.Second)
	if len(a.history) != 2 || a.n.paused {
		t.Errorf("history = %q, paused %t; want two ENTERs, false", a.history, a.n.paused)
	}
	if got := a.peers[uuidString(b.uuid)].whispers; got != messages {
		t.Errorf("whispers = %d, want all", got)
	}
	simConnected(s)
}

// The application takes some of a full queue, and then nothing: the grace of the first time that
// the node stopped reading is used up, and the second time needs one of its own.
func TestNode_pausedAgain(t *testing.T) {
	const messages = 4 * minQueueLimit / eventOverhead
	s, a, b, c := simDeaf(t, messages)
	if !a.n.events.isFull() {
		t.Fatalf("%d bytes wait, want more than %d", a.n.events.held, minQueueLimit)
	}
	for range 2 * (2*len(a.n.zre.peers) + receiveBatch) {
		a.see(<-a.n.events.ch)
		a.turn()
		s.settle()
	}
	s.run(2 * defaultExpired)
	if got := a.n.zre.entered; got != 2 || !a.n.events.isFull() {
		t.Errorf("peers = %d, full %t; want 2, true", got, a.n.events.isFull())
	}
	a.deaf = false
	s.run(5 * time.Second)
	for _, n := range []*simNode{a, b, c} {
		if len(n.history) != 2 {
			t.Errorf("history of %s = %q, want two ENTERs", simName(n.uuid), n.history)
		}
	}
	if got := a.peers[uuidString(b.uuid)].whispers; got != messages {
		t.Errorf("whispers = %d, want all", got)
	}
	simConnected(s)
}

// A peer that has died is missed, however full the queue is, once the others had their turns.
func TestNode_deadWhilePaused(t *testing.T) {
	s, a, b, dead := simDeaf(t, 8*minQueueLimit/eventOverhead)
	s.kill(dead)
	for a.n.zre.entered == 2 && a.n.events.isFull() {
		a.see(<-a.n.events.ch)
		s.run(time.Second)
	}
	if got := a.n.zre.entered; got != 1 || a.n.zre.peers[dead.uuid] != nil {
		t.Errorf("%d peers when all was read, want one", got)
	}
	a.deaf = false
	s.run(5 * time.Second)
	if got := a.count(EventExit, b.uuid) + a.count(EventEvasive, b.uuid); got != 0 {
		t.Errorf("history = %q, want nothing of the peer that lives but ENTER", a.history)
	}
}
