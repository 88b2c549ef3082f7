package zyre

import "time"

// probe is a doubt about a peer that has entered: it was pinged, and is removed,
// moved or greeted again if it says nothing until the deadline.
type probe struct {
	reason   string
	deadline time.Time
	moved    string // where its beacons come from now; may be empty
	regreet  bool   // say HELLO again instead of removing it
	unsent   bool   // unless something was sent meanwhile: it would be lost, with an EXIT
	final    bool   // a message to it is lost: whatever it says, it has to go
}

func (pr *probe) pending() bool { return !pr.deadline.IsZero() }

// verifyTime is how long a peer has to dispel a doubt.
func (n *node) verifyTime() time.Duration { return min(maxVerifyTime, n.cfg.evasive) }

// doubt pings a peer and gives it a moment to answer. A doubt that is under test
// already goes on, but removal outweighs a new greeting.
func (n *node) doubt(now time.Time, p *Peer, pr probe) {
	if p.probe.pending() && (!p.probe.regreet || pr.regreet) {
		return
	}
	pr.deadline = now.Add(n.verifyTime())
	if pr.regreet {
		pr.deadline = now.Add(p.patience(n.verifyTime()))
	}
	p.probe = pr
	n.wakeBy(pr.deadline)
	n.ping(p, now)
}

// proven ends a doubt: the peer has been heard from. Who claims its endpoint goes
// on waiting, for what was heard may be late: the next beacon tests it again.
func (n *node) proven(p *Peer) {
	p.probe = probe{}
	if p.claimant != nil {
		n.counters.helloRefused++
	}
}

// refute turns down a claim to the endpoint of a peer that lives.
func (n *node) refute(p *Peer) {
	if c := p.claimant; c != nil {
		p.claimant = nil
		n.counters.helloRefused++
		n.discard(c)
	}
}

// disproven acts on a doubt that nothing dispelled.
func (n *node) disproven(now time.Time, p *Peer) {
	pr := p.probe
	p.probe = probe{}
	switch {
	case pr.unsent && p.sentAt.After(p.saidHello):
		// it expires, or answers
	case pr.regreet && n.cfg.endpoint == "" && n.net.cutOff(p.endpoint):
		n.doubt(now, p, pr)
	case pr.regreet:
		p.regreeted++
		n.redirect(p)
		if !n.handshake(now, p.uuid) || !n.regreet(now, p, pr.reason) {
			n.remove(now, p, pr.reason)
		}
	case pr.moved != "":
		uuid := p.uuid
		n.remove(now, p, pr.reason)
		n.sighted(now, uuid, pr.moved)
	default:
		n.remove(now, p, pr.reason)
	}
}

// redirect turns to where a peer's HELLO says that it is, after it was not found where
// a beacon, gossip or the application said.
func (n *node) redirect(p *Peer) {
	endpoint, err := n.helloEndpoint(p.claims)
	if err == nil && endpoint != p.endpoint && n.addressed[endpoint] == nil && !n.net.isOurs(endpoint) {
		n.readdress(p, endpoint)
		n.known.add(p.uuid, endpoint)
	}
}

// regreet says HELLO again to a peer whose own HELLO holds, and whether that
// worked. If the application has sent it anything meanwhile, that is lost, and the
// application learns of it.
func (n *node) regreet(now time.Time, p *Peer, reason string) bool {
	if !p.sentAt.After(p.saidHello) {
		return n.greet(now, p)
	}
	hello := helloMemo{endpoint: p.claims, name: p.Name, headers: p.Headers, groups: p.groupNames(), status: p.status}
	want := p.want
	n.exit(p, reason)
	if !n.greet(now, p) {
		return false
	}
	n.enter(now, p, hello)
	p.want, p.greeted = want, false
	return true
}

// wakeBy makes sure that tick runs at t.
func (n *node) wakeBy(t time.Time) {
	if t.Before(n.tickAt) {
		n.tickAt = t
	}
}

// tick does what is due and plans the next time.
func (n *node) tick(now time.Time) {
	n.tickAt = now.Add(n.coarse)
	for _, p := range n.peers {
		switch {
		case p.probe.pending() && !now.Before(p.probe.deadline) && (n.blind == 0 || p.probe.final):
			n.disproven(now, p)
		case p.entered():
			n.check(now, p)
		case n.blind > 0:
			// Its HELLO may be waiting in the inbox, and ours have reached it.
			if p.mailbox != nil {
				n.ping(p, now)
			}
		case now.Sub(p.born) >= n.cfg.expired:
			n.counters.neverCame++
			n.discard(p)
		}
		if p.probe.pending() && n.blind == 0 {
			n.wakeBy(p.probe.deadline)
		}
	}
	n.elect(now)
	n.revisit(now)
	n.security.forgetKeys(n.peers)
	for uuid, h := range n.history {
		if now.Sub(h.Last()) > handshakeMemory {
			delete(n.history, uuid)
		}
	}
}

// check looks at how long a peer has been silent.
//
// A silence as long as the evasive timeout makes the node ping, quietly, or somewhat
// earlier if the silent timeout is shorter. Only a
// peer that leaves the ping unanswered is reported EVASIVE, and later SILENT, each
// once; after the expired timeout it is removed. While the node does not read its
// inbox, and until it has caught up, silence means nothing: it pings all the same,
// to show that it lives itself, and to have an answer when it reads again.
func (n *node) check(now time.Time, p *Peer) {
	idle := now.Sub(p.heard)
	if n.blind > 0 {
		n.ping(p, now)
		return
	}
	unanswered := !p.pinged.IsZero() && now.Sub(p.pinged) >= n.pingTime()
	switch {
	case idle >= n.cfg.expired:
		n.remove(now, p, "expired")
		return
	case p.pinged.IsZero() && idle >= min(n.cfg.evasive, n.cfg.silent-n.pingTime()):
		n.ping(p, now)
	case now.Sub(p.spoke) >= n.cfg.silent:
		n.ping(p, now) // so that a peer hears from us whose own pings are stuck behind what it says
	}
	if unanswered && idle >= n.cfg.evasive && !p.evasive {
		p.evasive = true
		n.events.push(peerEvent(eventEvasive, p))
	}
	if unanswered && idle >= n.cfg.expired/2 && !p.answers && p.regreeted == 0 && !p.sentAt.After(p.saidHello) {
		// It may have lost our HELLO, or taken it for the end. Not earlier: it may also
		// be busy sending one large message.
		n.doubt(now, p, probe{reason: "never answered", regreet: true, unsent: true})
	}
	if unanswered && idle >= n.cfg.silent && !p.silent {
		p.silent = true
		n.events.push(peerEvent(eventSilent, p))
	}
}

// pingTime is how long a ping may go unanswered before the silence is reported.
func (n *node) pingTime() time.Duration { return min(maxVerifyTime, n.cfg.evasive/2) }
