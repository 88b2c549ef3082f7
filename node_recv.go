package zyre

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// maxPeerGroups is how many groups one peer may be in; what it joins beyond
// them is refused and counted.
const maxPeerGroups = 10_000

// maxPeerHeaders is how many headers a HELLO may have, repeated ones counted; one
// with more is refused and counted.
const maxPeerHeaders = 1000

// plainSize is the size of a header frame up to and with its sequence number.
const plainSize = 6

// receive handles one message from the inbox. Whatever is wrong with it, it is
// rejected whole and counted.
func (n *node) receive(now time.Time, m *transport.Packet) {
	uuid, ok := parseIdentity(m.From)
	if !ok || uuid == n.uuid {
		n.counters.badIdentity++
		return
	}
	v := &n.view
	err := v.parse(m.Header)
	if errors.Is(err, errBadSignature) || errors.Is(err, errBadVersion) {
		n.counters.foreign++
		return
	}
	if err != nil && (v.id == HelloID || len(m.Header) < plainSize) {
		n.malformed(uuid, v, err) // and tells nothing about the sequence
		return
	}
	p := n.peers[uuid]
	if !n.keyMatches(now, p, uuid, m, v) {
		return
	}
	p = n.peers[uuid]
	if v.id == HelloID {
		n.counters.received++
		if p == nil && n.security.enabled {
			n.security.keys[uuid] = m.UserID
		}
		n.receiveHello(now, uuid, p, v)
		return
	}
	if p == nil || !p.entered() {
		n.counters.strangers++
		n.missed(now, p)
		return
	}
	if !p.inSequence(v.sequence) {
		n.lost(now, p, v.sequence)
		return
	}
	n.counters.received++
	p.received++
	if v.id == PingOkID && !p.pinged.IsZero() { // not one of the connection before
		p.answers, p.regreeted, p.delay = true, 0, now.Sub(p.pinged)
	}
	if (v.id == WhisperID || v.id == ShoutID) && now.Sub(p.saidHello) >= n.verifyTime() {
		p.answers = true // it would not write to us without our HELLO
	}
	n.heardFrom(p, now)
	switch {
	case errors.Is(err, errUnknownID):
		n.counters.unknownCommand++
	case err != nil:
		n.malformed(uuid, v, err)
	default:
		n.obey(now, p, v, m.Frames)
	}
}

// missed handles a message from a peer whose HELLO has not come: it was lost, or
// nothing would follow it. Our HELLO makes the peer begin anew.
func (n *node) missed(now time.Time, p *Peer) {
	if p == nil || p.state != peerConnected || now.Sub(p.saidHello) < p.patience(maxVerifyTime) {
		return
	}
	p.regreeted++
	if n.handshake(now, p.uuid) && !n.greet(now, p) {
		n.discard(p)
	}
}

// malformed counts a message that can't be read.
func (n *node) malformed(uuid [16]byte, v *zreView, err error) {
	n.counters.malformed++
	n.log.Debug("zyre: malformed message", "peer", uuidString(uuid), "id", v.id, "err", err)
}

// obey does what a well-formed message from a peer that has entered asks for.
func (n *node) obey(now time.Time, p *Peer, v *zreView, frames [][]byte) {
	if v.id != PingID && v.id != PingOkID {
		p.quiet = false
	}
	switch v.id {
	case WhisperID:
		n.counters.whispersReceived++
		n.events.push(messageEvent(eventWhisper, p, "", frames))
	case ShoutID:
		n.receiveShout(p, v, frames)
	case JoinID:
		n.receiveStatus(p, v, p.status+1)
		n.joined(p, string(v.group))
	case LeaveID:
		n.receiveStatus(p, v, p.status+1)
		n.left(p, string(v.group))
	case PingID:
		n.pong(p, now)
	case ElectID, LeaderID:
		n.receiveElection(now, p, v)
	case PingOkID:
		p.pings = max(p.pings-1, 0)
	case GoodbyeID:
		n.remove(now, p, "said goodbye")
	}
}

// receiveShout delivers a message to a group that this node is in. The sender
// need not be in it.
func (n *node) receiveShout(p *Peer, v *zreView, frames [][]byte) {
	name, member := n.own[string(v.group)]
	if !member {
		n.counters.lateShouts++
		return
	}
	n.counters.shoutsReceived++
	n.events.push(messageEvent(eventShout, p, name, frames))
}

// receiveStatus takes the peer's count of joins and leaves from a JOIN or LEAVE. A
// count that disagrees with ours is noted; the peer's holds.
func (n *node) receiveStatus(p *Peer, v *zreView, expected byte) {
	if v.status != expected {
		n.counters.statusMismatch++
	}
	p.status = v.status
}

// joined puts a peer into a group.
func (n *node) joined(p *Peer, name string) {
	if _, already := p.groups[name]; already {
		return
	}
	if len(p.groups) >= maxPeerGroups {
		n.counters.groupsRefused++
		return
	}
	g := n.groups[name]
	if g == nil {
		g = NewGroup(name)
		n.groups[name] = g
	}
	g.add(p)
	p.groups[name] = g
	n.membersChanged(name, p, false)
	e := peerEvent(eventJoin, p)
	e.Group = name
	n.events.push(e)
}

// left takes a peer out of a group.
func (n *node) left(p *Peer, name string) {
	g := p.groups[name]
	if g == nil {
		return
	}
	n.forgetMember(p, g)
	e := peerEvent(eventLeave, p)
	e.Group = name
	n.events.push(e)
}

// forgetMember takes a peer out of a group, and the group out of the list once it
// is empty.
func (n *node) forgetMember(p *Peer, g *Group) {
	delete(p.groups, g.name)
	g.remove(p)
	if len(g.peers) == 0 {
		delete(n.groups, g.name)
	}
	n.membersChanged(g.name, p, true)
	if p.clogged() {
		n.openGates()
	}
}

// lost handles a gap in a peer's sequence numbers: messages are missing, and the
// application learns of it by an EXIT. The peer is greeted again, and enters.
func (n *node) lost(now time.Time, p *Peer, seq uint16) {
	n.counters.gaps++
	n.log.Warn("zyre: messages lost", "peer", p.Identity, "expected", p.want, "got", seq)
	n.heardFrom(p, now)
	n.refute(p)
	n.remove(now, p, "messages lost")
	if !n.handshake(now, p.uuid) || n.peers[p.uuid] != nil {
		return
	}
	if q := n.connect(now, p.uuid, p.endpoint); q != nil {
		q.modulo65535, q.modulo65536, q.early = p.modulo65535, p.modulo65536, p.early
	}
}

// heardFrom notes a sign of life.
func (n *node) heardFrom(p *Peer, now time.Time) {
	p.heard, p.pinged = now, time.Time{}
	if p.probe.pending() && !p.probe.final {
		n.proven(p)
	}
	p.evasive, p.silent = false, false
}

// receiveHello handles HELLO: a peer says who it is.
func (n *node) receiveHello(now time.Time, uuid [16]byte, p *Peer, v *zreView) {
	endpoint, err := n.helloEndpoint(string(v.endpoint))
	reachable := err == nil
	switch {
	case v.sequence != 1, reachable && n.net.isOurs(endpoint):
		n.counters.helloRefused++
		return
	case v.groupCount > maxPeerGroups:
		n.counters.groupsRefused++
		return
	case v.headerCount > maxPeerHeaders:
		n.counters.helloRefused++
		return
	}
	hello := helloMemo{
		endpoint: string(v.endpoint), name: string(v.name), headers: v.headerMap(),
		groups: v.groupNames(), status: v.status,
	}
	switch {
	case p == nil:
		n.newcomer(now, uuid, endpoint, reachable, hello)
	case p.state == peerWaiting:
		p.hello = hello
		if reachable {
			n.settleWaiting(now, p, endpoint)
		}
	case p.state == peerConnected:
		// A zyre.js that held us took ours for the end, and says this one to a newcomer.
		mistaken := n.history[uuid] != nil || p.regreeted > 0
		n.enter(now, p, hello)
		if mistaken {
			n.doubt(now, p, probe{reason: "did not take our HELLO", regreet: true})
		}
	default:
		n.anew(now, p, endpoint, reachable, hello)
	}
}

// newcomer handles the HELLO of a peer that we have not heard of.
func (n *node) newcomer(now time.Time, uuid [16]byte, endpoint string, reachable bool, hello helloMemo) {
	if n.barred(now, uuid) || !n.admit(now) {
		n.counters.helloRefused++
		return
	}
	if !reachable {
		// A beacon or a look-up may tell where it is.
		p := newPeer(uuid, "", now)
		p.key = n.security.keys[uuid]
		p.hello = hello
		n.peers[uuid] = p
		n.reach(now, uuid, endpoint, p.key)
		return
	}
	if other := n.addressed[endpoint]; other != nil && other.entered() {
		n.contest(now, other, uuid, endpoint).hello = hello
		return
	}
	p := n.connect(now, uuid, endpoint)
	if p == nil {
		return
	}
	n.enter(now, p, hello)
	p.greeted = false
}

// enter makes a peer known to the application: its HELLO has come.
func (n *node) enter(now time.Time, p *Peer, hello helloMemo) {
	p.state, p.want, p.greeted, p.quiet, p.enteredAt = peerReady, 2, true, true, now
	groups := hello.groups
	p.adopt(hello)
	n.heardFrom(p, now)
	n.known.add(p.uuid, p.endpoint)
	n.log.Debug("zyre: enter", "peer", p.Identity, "name", p.Name, "endpoint", p.endpoint)
	n.events.push(enterEvent(p))
	for _, g := range groups {
		n.joined(p, g)
	}
}

// anew handles the HELLO of a peer that has entered already: it has begun anew, or
// answers a HELLO of ours that it took for a new beginning.
//
// Two nodes that both answer such a HELLO with a HELLO on a fresh connection go
// on for ever. So this one answers only if its own HELLO has been answered, or must
// have been; otherwise the peer's HELLO is the answer, which a ping then confirms. One
// answer to each HELLO of ours is expected; more are a beginning each, and so is a
// HELLO with another endpoint than the last.
func (n *node) anew(now time.Time, p *Peer, endpoint string, reachable bool, hello helloMemo) {
	n.heardFrom(p, now)
	window := n.verifyTime()
	if !p.greeted {
		window = n.cfg.expired
	}
	answer := !p.answers && !p.probe.final && now.Sub(p.saidHello) < window && hello.endpoint == p.claims
	expected := answer && !p.greeted
	if !expected && !n.handshake(now, p.uuid) {
		n.remove(now, p, "says HELLO too often")
		return
	}
	if !answer {
		p.strayed(now, n.cfg.expired)
		n.begin(now, p, endpoint, reachable, hello)
		return
	}
	if p.quiet {
		n.amend(p, hello)
	} else {
		n.exit(p, "began anew")
		p.anewAt = now
		n.enter(now, p, hello)
	}
	p.greeted = true
	n.doubt(now, p, probe{reason: "did not take our HELLO", regreet: true})
}

// begin answers a peer that has begun anew with a HELLO on a fresh connection. The
// application sees the end of what was before, unless the peer has entered only just
// now and no message has gone either way: where packets were held up, HELLOs come in
// twos.
func (n *node) begin(now time.Time, p *Peer, endpoint string, reachable bool, hello helloMemo) {
	p.anewAt = now
	unused := p.quiet && !p.sentAt.After(p.saidHello) && now.Sub(p.enteredAt) < n.verifyTime()
	if unused && endpoint == p.endpoint && hello.name == p.Name && maps.Equal(hello.headers, p.Headers) {
		if n.greet(now, p) {
			n.amend(p, hello)
		} else {
			n.remove(now, p, "began anew")
		}
		return
	}
	n.exit(p, "began anew")
	if reachable && endpoint != p.endpoint && n.addressed[endpoint] == nil {
		n.readdress(p, endpoint)
	}
	if !n.greet(now, p) {
		n.discard(p)
		return
	}
	n.enter(now, p, hello)
	p.greeted = false
}

// amend brings a peer that has just entered up to date with a second HELLO.
func (n *node) amend(p *Peer, hello helloMemo) {
	groups := hello.groups
	p.want = 2
	p.adopt(hello)
	for _, g := range p.groupNames() {
		if !slices.Contains(groups, g) {
			n.left(p, g)
		}
	}
	for _, g := range groups {
		n.joined(p, g)
	}
}
