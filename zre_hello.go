package zyre

import (
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// ownHello makes the HELLO for a peer at an endpoint.
func (z *zre) ownHello(endpoint string) *ZreMsg {
	return &ZreMsg{
		id: HelloID, Endpoint: z.location.announced(endpoint), Groups: z.ownGroups(), Status: z.status,
		Name: z.name, Headers: z.headers,
	}
}

// sendHello opens a fresh connection to a peer and says HELLO on it, and reports whether
// that worked. What waited on the old connection is lost: the application has seen, or
// will see, an EXIT.
func (z *zre) sendHello(now time.Time, p *peer) bool {
	z.dropBacklog(p, ErrUnknownPeer)
	z.closeMailbox(p, 0)
	box, err := z.port.dial(p.endpoint, p.key)
	if err != nil {
		z.counters.dialErrors++
		z.log.Warn("cannot connect to a peer", "peer", p.id, "endpoint", p.endpoint, "err", err)
		return false
	}
	p.mailbox, p.probe, p.progress = box, nil, nil
	p.out.restart()
	p.window.restart()
	p.handshake.sent(now)
	p.presence.reconnected()
	z.command(now, p, z.ownHello(p.endpoint))
	p.sentSinceHello = false
	z.askAgain(now, p)
	if p.handshake.state == helloUnconfirmed {
		z.startProbe(now, p, probe{kind: probeHello})
	}
	return true
}

// closeMailbox closes a peer's connection. What libzmq still holds for it goes out for the
// time of linger; over inproc that is nothing: the peer has it.
func (z *zre) closeMailbox(p *peer, linger time.Duration) {
	if p.mailbox == nil {
		return
	}
	if err := p.mailbox.Close(linger); err != nil {
		z.log.Warn("cannot close a mailbox", "peer", p.id, "err", err)
	}
	p.mailbox = nil
}

// resendHello says HELLO again to a peer whose own HELLO holds, and reports whether that
// worked. If the peer had the one before after all, it restarts its session, and what is
// under way in either direction is lost: so it exits, and enters again when it answers.
func (z *zre) resendHello(now time.Time, p *peer, reason string) bool {
	if p.isEntered() {
		groups := p.groupNames()
		z.emitExit(now, p, reason)
		p.awaitAnswer(groups)
	}
	return z.sendHello(now, p)
}

// followHelloEndpoint turns to where a peer's HELLO says that it is, after it was not
// found where a beacon, gossip or the application said, and reports whether it did.
func (z *zre) followHelloEndpoint(p *peer) (turned bool) {
	endpoint, err := z.reachable(p.helloEndpoint, z.namedBy(p.from).by)
	if err != nil || endpoint == p.endpoint || z.addressed[endpoint] != nil || z.location.isOurs(endpoint) {
		return false
	}
	z.readdress(p, endpoint)
	z.enteredChanges++
	z.departures++
	return true
}

// receiveHello handles HELLO: a peer says who it is. p is nil if it is not known yet. From
// then on the peer is heard under the routing id of this HELLO alone: a node that uses
// another first byte before its UUID has another connection, and is the same peer.
func (z *zre) receiveHello(now time.Time, uuid [16]byte, p *peer, v *zreView, m *transport.Packet) {
	endpoint, err := z.reachable(string(v.endpoint), z.namedBy(m.Address).by)
	reachable := err == nil
	switch {
	case v.sequence != 1, mayBeOurs(err) && z.location.isOurs(endpoint):
		z.counters.helloRefused++
		return
	case v.groupCount > maxPeerGroups, v.longGroup:
		z.counters.groupsRefused++
		return
	case v.headerCount > maxPeerHeaders:
		z.counters.helloRefused++
		return
	}
	its := hello{
		endpoint: string(v.endpoint), name: string(v.name), headers: v.headerMap(),
		groups: v.groupNames(), status: v.status, routingByte: m.From[0], conn: m.Conn, from: m.Address,
	}
	if reachable {
		p = z.answerSeed(now, uuid, p, endpoint, m)
	}
	switch {
	case p == nil:
		z.onFirstHello(now, uuid, endpoint, reachable, its)
	case p.handshake.state == helloHeld:
		p.hold(its)
		if reachable && !p.isInTest() {
			z.connectHeld(now, p, endpoint)
		}
	case p.handshake.state == helloSent && reachable && z.outweighsBeacon(p, endpoint):
		z.forgetPeer(p)
		if q := z.connect(now, uuid, endpoint); q != nil {
			z.enterIfReached(now, q, its)
			q.handshake.answered()
		}
	case p.handshake.state == helloUnconfirmed && !z.admitRestart(now, uuid):
		z.removePeer(now, p, ReasonThrottled)
	case !p.isEntered() && z.mayLackHello(p, endpoint, reachable):
		z.keepUnconfirmed(now, p, its)
	case !p.isEntered():
		z.enterIfReached(now, p, its)
	default:
		z.onRepeatedHello(now, p, endpoint, reachable, its)
	}
}

// outweighsBeacon reports whether the endpoint in a peer's HELLO, which only the holder of
// its key can send, takes the place of the one in a beacon, which anybody can forge. What the
// application or gossip named is kept, and so is another port of the same host.
func (z *zre) outweighsBeacon(p *peer, endpoint string) bool {
	other := z.addressed[endpoint]
	return z.secure && z.known[p.uuid] == nil && placeOf(endpoint) != placeOf(p.endpoint) && (other == nil || !other.isEntered())
}

// onFirstHello handles the HELLO of a peer that we have not heard of.
func (z *zre) onFirstHello(now time.Time, uuid [16]byte, endpoint string, reachable bool, its hello) {
	if z.isThrottled(now, uuid) || !z.admit(now, &z.hellos, uuid, hostOf(its.from, endpoint)) {
		z.counters.helloRefused++
		return
	}
	if !reachable {
		// A beacon or a look-up may tell where it is.
		p := z.newPeer(uuid, "", now)
		p.key = z.keys[uuid]
		p.hold(its)
		z.peers[uuid] = p
		z.counters.unreachable++
		z.lookUpHeld(now, p)
		return
	}
	z.answerHello(now, uuid, endpoint, its)
}

// answerHello answers the HELLO of a peer that there is no connection to, at the endpoint that it
// names, unless another peer may be there, or it may be at a seed.
func (z *zre) answerHello(now time.Time, uuid [16]byte, endpoint string, its hello) {
	if other := z.addressed[endpoint]; other != nil && other.isEntered() {
		z.endpointConflict(now, other, uuid, endpoint).hold(its)
		return
	}
	if seeds := z.suspectedSeeds(now, endpoint, z.keys[uuid]); len(seeds) > 0 {
		z.holdForTest(now, uuid, its, seeds)
		return
	}
	if p := z.connect(now, uuid, endpoint); p != nil {
		z.enterIfReached(now, p, its)
		p.handshake.answered()
	}
}

// adoptHello takes what a peer says of itself in the HELLO that has come from it.
func (z *zre) adoptHello(now time.Time, p *peer, its hello) {
	z.onFreshConnection(now, p)
	p.adopt(its)
	z.heardFrom(now, p)
}

// enter makes a peer enter: its HELLO has come.
func (z *zre) enter(now time.Time, p *peer, its hello) {
	p.handshake.received()
	z.adoptHello(now, p, its)
	z.announce(now, p, its.groups)
}

// announce makes a peer known to the application.
func (z *zre) announce(now time.Time, p *peer, groups []string) {
	p.enteredAt, p.receivedAt, p.halfOpen = now, time.Time{}, nil
	z.entered++
	z.enteredChanges++
	z.log.Info("enter", "peer", p.id, "name", p.name, "endpoint", p.endpoint)
	z.warnOfSameName(now, p)
	z.port.deliver(enterEvent(p))
	for _, g := range groups {
		z.joined(p, g)
	}
}

// onRepeatedHello handles the HELLO of a peer that has entered already. One answer to
// each HELLO of ours is expected; each further one counts as a restart for the throttle.
func (z *zre) onRepeatedHello(now time.Time, p *peer, endpoint string, reachable bool, its hello) {
	z.heardFrom(now, p)
	meaning := p.handshake.classify(now, its.endpoint == p.helloEndpoint, z.timeouts.verify(), z.timeouts.expired)
	if p.probe.isRemoval() {
		meaning = helloRestarts
	}
	if meaning != helloAnswers && !z.admitRestart(now, p.uuid) {
		z.removePeer(now, p, ReasonThrottled)
		return
	}
	if meaning == helloRestarts {
		p.out.assumeOtherWrap(now, z.timeouts.expired)
		z.restartSession(now, p, endpoint, reachable, its)
		return
	}
	if p.onlyHelloSoFar() {
		z.updateFromHello(now, p, its)
	} else {
		z.emitExit(now, p, ReasonRestarted)
		p.restartedAt = now
		if !z.enterIfReached(now, p, its) {
			return
		}
	}
	p.handshake.received()
	z.startProbe(now, p, probe{kind: probeHello})
}

// restartSession answers a peer that has restarted its session with a HELLO on a fresh
// connection. The application sees the end of what was before, unless the peer has
// entered only just now and no message has gone either way: where packets were held up,
// HELLOs come in twos.
func (z *zre) restartSession(now time.Time, p *peer, endpoint string, reachable bool, its hello) {
	p.restartedAt = now
	unused := p.onlyHelloSoFar() && !p.sentSinceHello && now.Sub(p.enteredAt) < z.timeouts.verify()
	if unused && endpoint == p.endpoint && its.name == p.name && maps.Equal(its.headers, p.headers) {
		if z.sendHello(now, p) {
			z.updateFromHello(now, p, its)
		} else {
			z.removePeer(now, p, ReasonRestarted)
		}
		return
	}
	if !reachable {
		endpoint = p.endpoint
	}
	if endpoint == p.endpoint {
		z.rejectClaim(p)
	}
	z.removePeer(now, p, ReasonRestarted)
	z.answerHello(now, p.uuid, endpoint, its)
	if q := z.peers[p.uuid]; q != nil {
		q.restartedAt = now
		q.inherit(p)
	}
}

// updateFromHello brings a peer that has just entered up to date with a second HELLO.
func (z *zre) updateFromHello(now time.Time, p *peer, its hello) {
	z.onFreshConnection(now, p)
	z.forgetName(p)
	p.adopt(its)
	z.warnOfSameName(now, p)
	for _, g := range p.groupNames() {
		if !slices.Contains(its.groups, g) {
			z.left(p, g)
		}
	}
	for _, g := range its.groups {
		z.joined(p, g)
	}
}

// onFreshConnection notes that a peer speaks to us on a fresh connection.
func (z *zre) onFreshConnection(now time.Time, p *peer) {
	p.in.helloReceived()
	p.window.answersLost()
	z.askAgain(now, p)
	if p.backlog.cause == waitsForConfirm {
		z.ping(now, p)
	}
}

// onMessageBeforeHello handles a message from a peer whose HELLO has not come: it was
// lost, or nothing would follow it. Our HELLO makes the peer restart its session. A peer
// whose HELLO is held and that says GOODBYE is forgotten, or it would enter as a ghost.
func (z *zre) onMessageBeforeHello(now time.Time, p *peer, v *zreView, m *transport.Packet) {
	if v.id == PingOkID && z.seedTestAnswered(now, p, v.sequence) {
		return
	}
	z.counters.beforeHello++ // on this connection
	if p != nil && p.handshake.state == helloHeld && v.id == GoodbyeID && p.said().routingByte == m.From[0] {
		z.forgetPeer(p)
		return
	}
	if p == nil || p.handshake.state != helloSent ||
		now.Sub(p.handshake.sentAt) < p.handshake.patience(maxVerifyTime) {
		return
	}
	p.handshake.resent()
	if z.admitRestart(now, p.uuid) && !z.sendHello(now, p) {
		z.forgetPeer(p)
	}
}

// reportNoAnswer logs once that a peer does not answer our HELLO: to users, a network in which
// one of two nodes cannot connect to the other looks like one in which nothing happens.
func (z *zre) reportNoAnswer(now time.Time, p *peer) {
	since := now.Sub(p.handshake.sentAt)
	switch {
	case p.handshake.reported, p.handshake.state == helloConfirmed:
		return
	case p.handshake.state == helloHeld:
		if since = p.halfOpenFor(now); p.endpoint == "" && !p.isInTest() && since >= z.timeouts.noAnswer() {
			p.handshake.reported = true
			its := p.said()
			z.log.Warn("a node says that it is at an endpoint that cannot be used from here",
				"peer", p.id, "name", its.name, "endpoint", its.endpoint, "for", since.Round(time.Millisecond))
		}
		return
	case since < z.timeouts.noAnswer(), p.isEntered() && p.presence.idle(now) < z.timeouts.noAnswer():
		return
	}
	p.handshake.reported = true
	text := "no answer to HELLO: no TCP connection is possible to a peer, or from it to this node"
	if z.secure {
		text += ", or it may refuse this node's key"
	}
	z.log.Warn(text, "peer", p.id, "endpoint", p.endpoint,
		"own_endpoint", z.location.announced(p.endpoint), "for", since.Round(time.Millisecond))
}

// onMessagesLost handles a gap in a peer's sequence numbers, or a message that is too large
// to be taken: messages are missing, and the application learns of it by an EXIT. Our HELLO
// makes the peer enter again.
func (z *zre) onMessagesLost(now time.Time, p *peer, seq uint16, reason string) {
	z.log.Warn("messages lost", "peer", p.id, "expected", p.in.next, "got", seq, "reason", reason)
	z.heardFrom(now, p)
	z.rejectClaim(p)
	z.removePeer(now, p, reason)
	if !z.admitRestart(now, p.uuid) || z.peers[p.uuid] != nil {
		return
	}
	if q := z.connect(now, p.uuid, p.endpoint); q != nil {
		q.inherit(p)
	}
}
