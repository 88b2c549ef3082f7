package zyre

import "time"

// probeKind is why a peer is suspected: the cause of a probe.
type probeKind uint8

const (
	_                probeKind = iota
	probeGoodbye               // a goodbye beacon, which can be forged or late: EXIT
	probeEndpoint              // another node claims its endpoint: EXIT, and the claimant gets it
	probeMoved                 // its beacons come from another endpoint: EXIT, connect there
	probeElsewhere             // it was sighted elsewhere, and seems not to have our HELLO: HELLO there, without EXIT
	probeHello                 // it may not have taken our HELLO: EXIT if it has entered, HELLO again
	probeIdentity              // another node used its UUID, which ends its connection: EXIT, HELLO again
	scheduledRemoval           // its connection failed: EXIT at the next tick, whatever it says
)

// probeKinds say what follows if the peer says nothing until the deadline. Bytes that move
// are a sign of life too, but those that go out to an endpoint that another node claims may
// go to that one, and of a connection that has ended for libzmq some may still come.
var probeKinds = [...]struct {
	name         string
	reason       string // of EXIT
	resendsHello bool
	come, goOut  bool // bytes that do so count as an answer
	byBeacon     bool // a beacon may cause it, which anybody can forge
}{
	probeGoodbye:     {"goodbye", ReasonGoodbye, false, true, true, true},
	probeEndpoint:    {"endpoint", ReasonReplaced, false, true, false, true},
	probeMoved:       {"moved", ReasonMoved, false, true, true, true},
	probeElsewhere:   {"elsewhere", ReasonMoved, false, true, true, true},
	probeHello:       {"hello", ReasonNoHello, true, true, true, false},
	probeIdentity:    {"identity", ReasonIdentity, true, false, false, false},
	scheduledRemoval: {"removal", ReasonFailed, false, false, false, false},
}

// A peer whose application is stalled answers nothing, and sends a ping of its own once a second.
// So on a secure network, where nodes say goodbye over their connections, a suspicion that a
// beacon caused gives it the time for several.
const beaconProbeTimes = 3

func (k probeKind) String() string     { return probeKinds[k].name }
func (k probeKind) exitReason() string { return probeKinds[k].reason }
func (k probeKind) resendsHello() bool { return probeKinds[k].resendsHello }

// probe is a suspicion under test: the peer was pinged. There is none in a nil probe.
type probe struct {
	kind      probeKind
	startedAt time.Time
	deadline  time.Time
	movedTo   string // of probeMoved and probeElsewhere: where it was sighted
}

func (pr *probe) String() string {
	if pr == nil {
		return "none"
	}
	return pr.kind.String()
}

func (pr *probe) isPending() bool { return pr != nil }

// isRemoval reports whether the peer will go whatever it says: a message to it is lost.
func (pr *probe) isRemoval() bool { return pr != nil && pr.kind == scheduledRemoval }

// outranks reports whether the probe goes on when a further suspicion comes up. EXIT
// outweighs HELLO again, and anything else HELLO elsewhere.
func (pr *probe) outranks(other probeKind) bool {
	return pr.isPending() && (pr.kind != probeElsewhere || other == probeElsewhere) && (!pr.kind.resendsHello() || other.resendsHello())
}

func (pr *probe) shift(by time.Duration) {
	if pr.isPending() {
		pr.startedAt, pr.deadline = pr.startedAt.Add(by), pr.deadline.Add(by)
	}
}

// startProbe pings a peer and gives it a moment to answer.
func (z *zre) startProbe(now time.Time, p *peer, pr probe) {
	if p.probe.outranks(pr.kind) {
		return
	}
	patience := z.timeouts.verify()
	switch {
	case pr.kind.resendsHello():
		patience = p.handshake.patience(patience)
	case z.secure && probeKinds[pr.kind].byBeacon:
		patience *= beaconProbeTimes
	}
	pr.startedAt, pr.deadline = now, now.Add(patience)
	p.probe = &pr
	z.watchProgress(now, p)
	z.wakeBy(pr.deadline)
	z.ping(now, p)
}

// repeatProbe gives a peer to which there is no connection another while. The PING of before
// waits for the connection, behind our HELLO: more would fill the mailbox.
func (z *zre) repeatProbe(now time.Time, p *peer, pr probe) {
	if p.presence.unanswered == 0 {
		z.startProbe(now, p, pr)
		return
	}
	pr.startedAt, pr.deadline = now, now.Add(pr.deadline.Sub(pr.startedAt))
	p.probe = &pr
	z.watchProgress(now, p)
	z.wakeBy(pr.deadline)
}

// probeAnswered ends a probe: the peer has been heard from. A claimant of its endpoint
// goes on waiting, for what was heard may be late: the next beacon starts another probe.
func (z *zre) probeAnswered(p *peer) {
	p.probe = nil
	if p.claimant != nil {
		z.counters.helloRefused++
	}
}

// probeFailed acts on a suspicion after the peer has said nothing until the deadline.
func (z *zre) probeFailed(now time.Time, p *peer) {
	pr := *p.probe
	p.probe = nil
	reason := pr.kind.exitReason()
	switch {
	case pr.kind.resendsHello() && (z.location.isCutOff(p.endpoint) || !z.followHelloEndpoint(p) && z.isBroken(now, p)):
		z.repeatProbe(now, p, pr)
		if p.isEntered() {
			z.checkPresence(now, p) // the probe goes on as long as there is no connection, but the peer expires
		}
	case pr.kind.resendsHello():
		p.handshake.resent()
		if !z.admitRestart(now, p.uuid) || !z.resendHello(now, p, reason) {
			z.removePeer(now, p, reason)
		}
	case pr.kind == probeElsewhere && z.isNothingSaid(now, p) && z.addressed[pr.movedTo] == nil:
		z.sayHelloElsewhere(now, p, pr.movedTo)
	case pr.kind == probeElsewhere:
		// it was found after all, or something was said meanwhile
	case pr.kind == probeMoved:
		uuid := p.uuid
		z.removePeer(now, p, reason)
		z.sighted(now, uuid, pr.movedTo)
	default:
		z.removePeer(now, p, reason)
	}
}

// scheduleRemoval has a peer removed at the next tick, which is now: not at once,
// since the caller may be walking over its groups.
func (z *zre) scheduleRemoval(now time.Time, p *peer) {
	p.probe = &probe{kind: scheduledRemoval, deadline: now}
	z.wakeBy(now)
}

// rejectClaim turns down a claim to the endpoint of a peer that lives.
func (z *zre) rejectClaim(p *peer) {
	if c := p.claimant; c != nil {
		p.claimant = nil
		z.counters.helloRefused++
		z.forgetPeer(c)
	}
}
