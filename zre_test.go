package zyre

import (
	"errors"
	"go/constant"
	"go/types"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// keep lets time pass in which a peer that has entered stays, for it pings; it
// confirms nothing by that. One that has not is left less time than would end it.
func (b *zreBench) keep(d time.Duration) {
	if !b.isEntered() {
		b.pass(min(d, b.z.timeouts.expired-time.Second))
	}
	for b.isEntered() && d > 0 {
		step := min(d, b.z.timeouts.evasive/2)
		b.pass(step)
		b.hearID(PingID)
		d -= step
	}
	b.port.forget()
}

// reach lets a silence go on until a timeout, and records only what follows that.
func (b *zreBench) reach(timeout time.Duration) {
	const moment = time.Millisecond
	b.pass(timeout - moment)
	b.port.forget()
	b.pass(moment)
}

// failProbe starts a probe and leaves it unanswered. A peer that has not entered is under
// no probe but that of its HELLO: for it only the time passes.
func (b *zreBench) failProbe(pr probe) {
	if !b.isEntered() {
		b.pass(b.z.timeouts.verify())
		return
	}
	b.z.startProbe(b.now, b.peer(), pr)
	b.reach(b.peer().probe.deadline.Sub(b.now))
}

// meetInGroup has both join a group.
func (b *zreBench) meetInGroup() {
	b.z.join(b.now, "G")
	b.hearID(JoinID)
	b.port.forget()
}

// secure has this node use CURVE, and know the peer by a key. It returns another one.
func (b *zreBench) secure() (other string) {
	b.z.secure, b.peer().key = true, transport.Z85FromRaw([32]byte{7})
	return transport.Z85FromRaw([32]byte{8})
}

// otherUUID is that of another node.
var otherUUID = [16]byte{8}

// hearOther has the other node send a message.
func (b *zreBench) hearOther(seq uint16, m *ZreMsg) {
	packet := packetOf(b.t, otherUUID, seq, m)
	b.z.receive(b.now, &packet)
}

// handshakeStates make a peer in each state of the handshake. HELLO was exchanged just
// now, and nothing else but what confirms it.
var handshakeStates = map[string]func(b *zreBench){
	helloHeld.String(): func(b *zreBench) { b.hello(stateUnresolved) },
	helloSent.String(): func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) },
	helloUnconfirmed.String(): func(b *zreBench) {
		b.hello(stateEndpoint)
		b.pass(b.z.timeouts.expired)
		b.hello(stateEndpoint)
	},
	helloReturned.String(): func(b *zreBench) {
		b.hello(stateEndpoint)
	},
	helloExchanged.String(): func(b *zreBench) {
		b.z.sighted(b.now, stateUUID, stateEndpoint)
		b.hello(stateEndpoint)
	},
	helloConfirmed.String(): func(b *zreBench) {
		b.z.sighted(b.now, stateUUID, stateEndpoint)
		b.hello(stateEndpoint)
		b.z.ping(b.now, b.peer())
		b.hearID(PingOkID)
	},
}

// handshakeInputs are what can happen to a peer in any of these states.
var handshakeInputs = map[string]func(b *zreBench){
	"HELLO, endpoint of another peer": func(b *zreBench) {
		b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: stateOther, Name: "other"})
		b.port.forget()
		b.hello(stateOther)
	},
	"beacon, same endpoint":  func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) },
	"beacon, other endpoint": func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateElsewhere) },
	"beacon, other endpoint, after the verify time": func(b *zreBench) {
		b.keep(b.z.timeouts.verify())
		b.z.sighted(b.now, stateUUID, stateElsewhere)
	},
	"beacon, other endpoint, while there is no connection": func(b *zreBench) {
		b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
		b.keep(b.z.timeouts.verify())
		b.z.sighted(b.now, stateUUID, stateElsewhere)
	},
	"beacon, other endpoint, after an evasive silence": func(b *zreBench) {
		b.pass(b.z.timeouts.evasive)
		b.port.forget()
		b.z.sighted(b.now, stateUUID, stateElsewhere)
	},
	"goodbye beacon": func(b *zreBench) { b.z.goodbye(b.now, stateUUID, "") },
	"goodbye beacon, soon after a restart": func(b *zreBench) {
		b.peer().restartedAt = b.now
		b.z.goodbye(b.now, stateUUID, "")
	},
	"goodbye beacon on a secure network": func(b *zreBench) {
		b.z.secure = true
		b.z.goodbye(b.now, stateUUID, b.peer().key)
	},
	"goodbye beacon, inbox backlogged": func(b *zreBench) {
		b.z.inboxBacklogged()
		b.z.goodbye(b.now, stateUUID, "")
	},
	"goodbye beacon, before the inbox is read": func(b *zreBench) {
		b.z.inboxBacklogged()
		b.z.goodbye(b.now, stateUUID, "")
		b.z.inboxDrained(b.now)
	},
	"taken back in gossip": func(b *zreBench) { b.z.ungossiped(stateUUID) },
	"HELLO, same endpoint": func(b *zreBench) { b.helloAgain() },
	"HELLO, same endpoint, after a JOIN": func(b *zreBench) {
		if b.isEntered() {
			b.hearID(JoinID)
		}
		b.port.forget()
		b.helloAgain()
	},
	"HELLO, same endpoint, after the verify time": func(b *zreBench) {
		b.keep(b.z.timeouts.verify())
		b.helloAgain()
	},
	"HELLO, same endpoint, after the expired timeout": func(b *zreBench) {
		b.keep(b.z.timeouts.expired)
		b.helloAgain()
	},
	"HELLO, same endpoint, too often": func(b *zreBench) {
		for b.z.admitRestart(b.now, stateUUID) {
		}
		b.helloAgain()
	},
	"HELLO, other endpoint": func(b *zreBench) { b.hello(stateElsewhere) },
	"WHISPER":               func(b *zreBench) { b.hearID(WhisperID) },
	"WHISPER, after the verify time": func(b *zreBench) {
		b.keep(b.z.timeouts.verify())
		b.hearID(WhisperID)
	},
	"SHOUT": func(b *zreBench) { b.meetInGroup(); b.hearID(ShoutID) },
	"SHOUT, after the verify time": func(b *zreBench) {
		b.meetInGroup()
		b.keep(b.z.timeouts.verify())
		b.hearID(ShoutID)
	},
	"JOIN":  func(b *zreBench) { b.hearID(JoinID) },
	"LEAVE": func(b *zreBench) { b.meetInGroup(); b.hearID(LeaveID) },
	"ELECT": func(b *zreBench) {
		b.meetInGroup()
		b.hear(&ZreMsg{id: ElectID, Group: "G", candidate: b.peer().id})
	},
	"LEADER": func(b *zreBench) {
		b.meetInGroup()
		b.hear(&ZreMsg{id: LeaderID, Group: "G", candidate: b.peer().id})
	},
	"PING": func(b *zreBench) { b.hearID(PingID) },
	"PING-OK to a ping": func(b *zreBench) {
		if b.peer().mailbox != nil {
			b.z.ping(b.now, b.peer())
		}
		b.port.forget()
		b.hearID(PingOkID)
	},
	"PING-OK to no ping":  func(b *zreBench) { b.hearID(PingOkID) },
	"message after a gap": func(b *zreBench) { b.hearAfterGap(NewZreMsg(WhisperID), 1) },
	"message that is too large": func(b *zreBench) {
		packet := b.packet(NewZreMsg(WhisperID), 0)
		packet.Excess = true
		b.z.receive(b.now, &packet)
	},
	"message under another key": func(b *zreBench) {
		packet := b.packet(NewZreMsg(WhisperID), 0)
		packet.UserID = b.secure()
		b.z.receive(b.now, &packet)
	},
	"HELLO under another key": func(b *zreBench) { b.helloWithKey(stateEndpoint, b.secure()) },
	"key revoked": func(b *zreBench) {
		b.secure()
		b.port.revoked = true
		b.z.authorizationChanged(b.now)
	},
	"beacon of another node": func(b *zreBench) { b.z.sighted(b.now, otherUUID, stateEndpoint) },
	"beacon of another node, later": func(b *zreBench) {
		b.pass(endpointStay)
		b.z.sighted(b.now, otherUUID, stateEndpoint)
	},
	"HELLO of another node": func(b *zreBench) { b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint}) },
	"HELLO and WHISPER of another node": func(b *zreBench) {
		b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
		b.hearOther(2, NewZreMsg(WhisperID))
	},
	"stalled timeout": func(b *zreBench) {
		b.meetInGroup()
		b.port.sendErr = transport.ErrAgain
		b.shoutTo(1)
		b.keep(defaultStalled - time.Second)
		if b.isEntered() {
			b.pass(time.Second)
		}
	},
	"GOODBYE":               func(b *zreBench) { b.hearID(GoodbyeID) },
	"goodbye probe fails":   func(b *zreBench) { b.failProbe(probe{kind: probeGoodbye}) },
	"endpoint probe fails":  func(b *zreBench) { b.failProbe(probe{kind: probeEndpoint}) },
	"moved probe fails":     func(b *zreBench) { b.failProbe(probe{kind: probeMoved, movedTo: stateElsewhere}) },
	"elsewhere probe fails": func(b *zreBench) { b.failProbe(probe{kind: probeElsewhere, movedTo: stateElsewhere}) },
	"elsewhere probe fails, while there is no connection": func(b *zreBench) {
		b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
		b.failProbe(probe{kind: probeElsewhere, movedTo: stateElsewhere})
	},
	"hello probe fails":    func(b *zreBench) { b.failProbe(probe{kind: probeHello}) },
	"identity probe fails": func(b *zreBench) { b.failProbe(probe{kind: probeIdentity}) },
	"hello probe fails, while there is no connection": func(b *zreBench) {
		b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
		b.failProbe(probe{kind: probeHello})
	},
	"sighting time, while there is no connection": func(b *zreBench) {
		b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
		b.reach(b.z.sightingTime)
	},
	"evasive timeout":          func(b *zreBench) { b.reach(b.z.timeouts.evasive) },
	"silent timeout":           func(b *zreBench) { b.reach(b.z.timeouts.silent) },
	"half the expired timeout": func(b *zreBench) { b.reach(b.z.timeouts.expired / 2) },
	"expired timeout":          func(b *zreBench) { b.reach(b.z.timeouts.expired) },
	"expired timeout, while there is no connection": func(b *zreBench) {
		b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
		b.reach(b.z.timeouts.expired)
	},
	"half the expired timeout, while bytes move": func(b *zreBench) {
		b.flow(bytesCome)
		b.reach(b.z.timeouts.expired / 2)
	},
	"expired timeout, while bytes move": func(b *zreBench) { b.flow(bytesCome); b.reach(b.z.timeouts.expired) },
	"hello probe, while bytes move":     func(b *zreBench) { b.flow(bytesGo); b.failProbe(probe{kind: probeHello}) },
	"goodbye probe, while bytes move":   func(b *zreBench) { b.flow(bytesGo); b.failProbe(probe{kind: probeGoodbye}) },
	"endpoint probe, while bytes come":  func(b *zreBench) { b.flow(bytesCome); b.failProbe(probe{kind: probeEndpoint}) },
	"endpoint probe, while bytes go":    func(b *zreBench) { b.flow(bytesGo); b.failProbe(probe{kind: probeEndpoint}) },
	"identity probe, while bytes come":  func(b *zreBench) { b.flow(bytesCome); b.failProbe(probe{kind: probeIdentity}) },
	"send fails": func(b *zreBench) {
		b.port.sendErr = errors.New("broken")
		b.z.join(b.now, "G")
		b.pass(0)
	},
}

// helloAgain has the peer say HELLO with the endpoint that it named before, or if it has
// said none where its beacons come from.
func (b *zreBench) helloAgain() {
	if p := b.peer(); p != nil && p.handshake.state == helloHeld {
		b.hello(p.held.endpoint)
		return
	}
	b.hello(stateEndpoint)
}

// presenceStates make the presence of a peer that has been silent since start.
var presenceStates = map[string]func(start time.Time) presence{
	presenceAlive.String():       func(start time.Time) presence { return presence{heardAt: start} },
	presencePinged.String():      silentSince(presencePinged),
	presenceEvasive.String():     silentSince(presenceEvasive),
	presenceSilentFirst.String(): silentSince(presenceSilentFirst),
	presenceSilent.String():      silentSince(presenceSilent),
}

// silentSince makes a presence in a state that begins with a ping.
func silentSince(state presenceState) func(start time.Time) presence {
	return func(start time.Time) presence {
		return presence{state: state, heardAt: start, pingedAt: start, unanswered: 1}
	}
}

// presenceInputs are what can happen to it. Of the timeouts, only the one that is named
// passes; the others are longer.
var presenceInputs = map[string]func(b *zreBench){
	"any message":                           func(b *zreBench) { b.hearID(JoinID) },
	"PING-OK":                               func(b *zreBench) { b.hearID(PingOkID) },
	"our ping":                              func(b *zreBench) { b.z.ping(b.now, b.peer()) },
	"our HELLO":                             func(b *zreBench) { b.z.sendHello(b.now, b.peer()) },
	"the evasive timeout":                   func(b *zreBench) { b.passOnly(&b.z.timeouts.evasive) },
	"the silent timeout":                    func(b *zreBench) { b.passOnly(&b.z.timeouts.silent) },
	"the expired timeout":                   func(b *zreBench) { b.passOnly(&b.z.timeouts.expired) },
	"the evasive timeout, while bytes move": func(b *zreBench) { b.passMoving(&b.z.timeouts.evasive) },
	"the silent timeout, while bytes move":  func(b *zreBench) { b.passMoving(&b.z.timeouts.silent) },
	"the expired timeout, while bytes move": func(b *zreBench) { b.passMoving(&b.z.timeouts.expired) },
}

// passOnly lets one of the timeouts pass while the others are much longer. There is a look before
// that at a peer that is watched, as ticks take several: nothing is judged by the first.
func (b *zreBench) passOnly(timeout *time.Duration) { b.passIn(timeout, 2) }

// passMoving does so while bytes come from the peer, with the looks at them.
func (b *zreBench) passMoving(timeout *time.Duration) {
	b.flow(bytesCome)
	b.passIn(timeout, 10)
}

// passIn lets one of the timeouts pass in so many steps.
func (b *zreBench) passIn(timeout *time.Duration, steps int) {
	const short, long = 10 * time.Second, time.Hour
	b.z.timeouts = timeouts{evasive: long, silent: long, expired: 10 * long}
	*timeout = short
	for range steps {
		b.now = b.now.Add(short / time.Duration(steps))
		b.peer().spokeAt = b.now
		b.z.checkPresence(b.now, b.peer())
	}
}

// transition is what follows an input.
type transition struct{ sends, events, next string }

// result is what was recorded, and the state of the peer.
func (b *zreBench) result(state func(p *peer) string) transition {
	next := "gone"
	if p := b.peer(); p != nil {
		next = state(p)
		if p.probe.isPending() {
			next += ", " + p.probe.kind.String() + " probe"
		}
	}
	events := slices.Clone(b.port.events)
	for _, reason := range b.port.reasons {
		events[slices.Index(events, EventExit)] = exitWith(reason)
	}
	return transition{orNothing(b.port.sent), orNothing(events), next}
}

// exitWith is how the table writes an EXIT with its reason.
func exitWith(reason string) string { return EventExit + " (" + reason + ")" }

func orNothing(list []string) string {
	if len(list) == 0 {
		return "—"
	}
	return strings.Join(list, " ")
}

// cell is a place in the table of states.
type cell struct{ state, input string }

// actualTransitions applies each input in each state.
func actualTransitions(t *testing.T) map[cell]transition {
	t.Helper()
	actual := map[cell]transition{}
	for state, enter := range handshakeStates {
		for input, apply := range handshakeInputs {
			b := newZREBench(t)
			enter(b)
			if got := b.peer().handshake.state.String(); got != state {
				t.Fatalf("a peer that should be in state %s is in %s", state, got)
			}
			b.port.forget()
			apply(b)
			actual[cell{state, input}] = b.result(func(p *peer) string { return p.handshake.state.String() })
		}
	}
	for state, presenceAt := range presenceStates {
		for input, apply := range presenceInputs {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.port.forget()
			b.peer().presence = presenceAt(b.now)
			apply(b)
			actual[cell{state, input}] = b.result(func(p *peer) string { return p.presence.state.String() })
		}
	}
	return actual
}

// documentedTransitions reads the table of states in docs/architecture.md. A row may
// stand for several states and inputs, which it lists; "same" is each of the states.
func documentedTransitions(t *testing.T) map[cell]transition {
	t.Helper()
	documented := map[cell]transition{}
	inTable := false
	for line := range strings.Lines(string(readFile(t, "docs/architecture.md"))) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case slices.Equal(row, []string{"state", "input", "sends", "events", "next state"}):
			inTable = true
			continue
		case len(row) != 5:
			inTable = false
		}
		if !inTable || strings.HasPrefix(row[0], "---") {
			continue
		}
		for state := range strings.SplitSeq(row[0], ", ") {
			next := row[4]
			if rest, ok := strings.CutPrefix(next, "same"); ok {
				next = state + rest
			}
			for input := range strings.SplitSeq(row[1], "; ") {
				c := cell{state, input}
				if _, twice := documented[c]; twice {
					t.Errorf("docs/architecture.md has two rows for %s in state %s", c.input, c.state)
				}
				documented[c] = transition{row[2], row[3], next}
			}
		}
	}
	return documented
}

// The table of states in docs/architecture.md is what the protocol does.
func TestStates_table(t *testing.T) {
	actual, documented := actualTransitions(t), documentedTransitions(t)
	for c, got := range actual {
		if want, ok := documented[c]; ok && got != want {
			t.Errorf("%s in state %s: sends %s, events %s, next %s; docs/architecture.md says %s, %s, %s",
				c.input, c.state, got.sends, got.events, got.next, want.sends, want.events, want.next)
		}
	}
}

// Every state has a row for every input, and no row is about something else.
func TestStates_complete(t *testing.T) {
	actual, documented := actualTransitions(t), documentedTransitions(t)
	for c := range actual {
		if _, ok := documented[c]; !ok {
			t.Errorf("docs/architecture.md has no row for %s in state %s", c.input, c.state)
		}
	}
	for c := range documented {
		if _, ok := actual[c]; !ok {
			t.Errorf("docs/architecture.md has a row for %s in state %s, which are not both known", c.input, c.state)
		}
	}
}

// Every command of ZRE is the input of some row, and every reason to exit is given in one.
func TestStates_commandsAndReasons(t *testing.T) {
	commands, events := map[string]bool{}, ""
	for c, want := range documentedTransitions(t) {
		command, _, _ := strings.Cut(c.input, ",")
		commands[command] = true
		events += want.events
	}
	scope := parseSources(t).pkg.Scope()
	for _, name := range scope.Names() {
		c, ok := scope.Lookup(name).(*types.Const)
		switch {
		case !ok || !c.Exported():
		case strings.HasSuffix(name, "ID"):
			id, _ := constant.Uint64Val(c.Val())
			if command := commandNames[uint8(id)]; !commands[command] {
				t.Errorf("docs/architecture.md has no row for the command %q, %s", command, name)
			}
		case strings.HasPrefix(name, "Reason"):
			if exit := exitWith(constant.StringVal(c.Val())); !strings.Contains(events, exit) {
				t.Errorf("docs/architecture.md has no row with %s, %s", exit, name)
			}
		}
	}
}

// Every state that the code has is in the test.
func TestStates_all(t *testing.T) {
	for s := helloHeld; s <= helloConfirmed; s++ {
		if handshakeStates[s.String()] == nil {
			t.Errorf("handshake state %s is not tested", s)
		}
	}
	for s := presenceAlive; s <= presenceSilent; s++ {
		if presenceStates[s.String()] == nil {
			t.Errorf("presence state %s is not tested", s)
		}
	}
}
