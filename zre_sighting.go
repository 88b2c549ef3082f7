package zyre

import (
	"net/netip"
	"time"
)

// A sighting is the news, from a beacon, gossip or a look-up, that a node with a UUID can
// be reached at an endpoint. It is no sign of life: only its own messages show that a
// peer lives.

// A node that a sighting named, and that is not there, is tried for 5 s after it, or for three of
// this node's own beacon intervals if that is longer. Else one forged beacon would have this node
// connect to somebody else for the expired timeout, again and again.
const (
	minSightingTime   = 5 * time.Second
	sightingIntervals = 3
)

// sightedWithKey handles a sighting that names a CURVE public key, as those of secure
// nodes do. A secure node goes only to keys that are authorized, and a UUID keeps its
// key as long as the peer has entered; one that has not, only for the time that it has to
// answer.
func (z *zre) sightedWithKey(now time.Time, uuid [16]byte, endpoint, key string) {
	if !z.secure || uuid == z.uuid {
		z.sighted(now, uuid, endpoint)
		return
	}
	if !z.isTrusted(key) {
		z.noteKeyRefused("sighting", uuid, endpoint, key)
		return
	}
	if p := z.peers[uuid]; p != nil && p.key != key {
		if p.handshake.isHelloReceived() || p.halfOpenFor(now) < z.timeouts.verify() {
			z.noteKeyRefused("sighting", uuid, endpoint, key)
			return
		}
		z.forgetPeer(p) // nobody has come with the key named before
	}
	z.keys[uuid] = key
	z.sighted(now, uuid, endpoint)
}

// sightedByBeacon handles a sighting that anybody can forge.
func (z *zre) sightedByBeacon(now time.Time, uuid [16]byte, endpoint, key string) {
	if !z.mayBe(uuid, key) {
		z.noteKeyRefused("sighting", uuid, endpoint, key)
		return
	}
	z.sightedWithKey(now, uuid, endpoint, key)
}

// sighted handles a sighting on a plain network, or one whose key is right.
func (z *zre) sighted(now time.Time, uuid [16]byte, endpoint string) {
	if uuid == z.uuid || z.location.isOurs(endpoint) {
		z.counters.ownBeacons++
		if uuid == z.uuid && z.isAnothers(endpoint) {
			z.warnOfSameUUID(endpoint)
		}
		return
	}
	p := z.peers[uuid]
	switch {
	case p == nil:
		z.meet(now, uuid, endpoint)
	case p.isInTest():
		// it is met when the test has ended
	case p.handshake.state == helloHeld:
		z.connectHeld(now, p, endpoint)
	case p.endpoint == endpoint:
		p.noteSighted(now)
	case !p.isEntered():
		if z.mayTryElsewhere(now, p, endpoint) {
			z.sayHelloElsewhere(now, p, endpoint)
		}
	case z.isNothingSaid(now, p):
		if z.mayTryElsewhere(now, p, endpoint) {
			z.startProbe(now, p, probe{kind: probeElsewhere, movedTo: endpoint})
		}
	case p.presence.idle(now) >= z.timeouts.evasive:
		z.startProbe(now, p, probe{kind: probeMoved, movedTo: endpoint})
	}
}

// sayHelloElsewhere turns to another endpoint of a peer that was not found where it was said to
// be.
func (z *zre) sayHelloElsewhere(now time.Time, p *peer, endpoint string) {
	z.noteTried(p)
	p.noteSighted(now)
	z.readdress(p, endpoint)
	if !z.sendHello(now, p) {
		z.removePeer(now, p, ReasonFailed)
	}
}

// isSightingOver reports whether a peer is known by sightings alone, was sighted too long ago to be
// tried on, and is not connected to.
func (z *zre) isSightingOver(now time.Time, p *peer) bool {
	return p.handshake.state == helloSent && p.isKnownBySightings() && now.Sub(p.halfOpen.sightedAt) >= z.sightingTime &&
		p.mailbox != nil && p.mailbox.Moved(now, p.conn).Broken
}

// isNothingSaid reports whether a peer that has entered lacks our HELLO, and nothing else was
// said to it: then it can be said elsewhere without a loss, and without an EXIT.
func (z *zre) isNothingSaid(now time.Time, p *peer) bool {
	return p.handshake.isEnteredUnconfirmed() && !p.sentSinceHello && p.mailbox != nil && p.mailbox.Moved(now, p.conn).Broken
}

// maxTriedHosts is how many hosts are tried independently of each other for one peer.
const maxTriedHosts = 8

// mayTryElsewhere reports whether a peer that has not answered at its endpoint is to be tried
// at another: after the time that it has to answer. Under CURVE, a host that was not tried
// yet is tried at once, and then those tried longest ago come first: else forged beacons would
// keep the true ones away.
func (z *zre) mayTryElsewhere(now time.Time, p *peer, endpoint string) bool {
	host, present := placeOf(endpoint), placeOf(p.endpoint)
	since, verify := now.Sub(p.handshake.sentAt), z.timeouts.verify()
	switch at, tried := p.triedAt[host]; {
	case z.addressed[endpoint] != nil:
		return false
	case z.secure && host != present && !tried && len(p.triedAt) < maxTriedHosts:
		// at once
	case since < verify:
		return false
	case z.secure && since < 3*verify:
		for other, otherAt := range p.triedAt {
			if other != present && other != host && (!tried || otherAt.Before(at)) {
				return false
			}
		}
	}
	return true
}

// noteTried notes, under CURVE, that a peer was tried in vain where it is
// connected to.
func (z *zre) noteTried(p *peer) {
	host := placeOf(p.endpoint)
	if _, tried := p.triedAt[host]; !z.secure || !tried && len(p.triedAt) >= maxTriedHosts {
		return
	}
	if p.triedAt == nil {
		p.triedAt = map[string]time.Time{}
	}
	p.triedAt[host] = p.handshake.sentAt
}

// endpointStay is how long a node that has not entered stays at an endpoint before another that is
// sighted there takes its place. Else beacons that name ever new nodes at one endpoint would have
// this node connect there as often as they come. Whoever is there gets our HELLO for the one before
// and answers it, unless it has just started there. Under another key nobody would answer, so the true
// key does not have to wait for a forged one.
const endpointStay = time.Second

// meet connects to a node not known before.
func (z *zre) meet(now time.Time, uuid [16]byte, endpoint string) {
	other := z.addressed[endpoint]
	stays := other != nil && !other.isEntered() && other.key == z.keys[uuid] &&
		!z.isOpenSeed(other, other.key) && other.halfOpenFor(now) < endpointStay && !z.isRequired(uuid)
	if stays || z.isHeldByProof(other) || z.isThrottled(now, uuid) || !z.admit(now, &z.sightings, uuid, hostOf(netip.Addr{}, endpoint)) {
		z.counters.sightingsRefused++
		return
	}
	seeds := openedSeeds(now, z.suspectedSeeds(now, endpoint, z.keys[uuid]))
	switch {
	case other != nil && other.isEntered():
		z.endpointConflict(now, other, uuid, endpoint)
	case z.isOpenSeed(other, z.keys[uuid]):
		z.nameSeed(other, uuid)
	case len(seeds) > 0:
		z.holdForTest(now, uuid, hello{endpoint: endpoint}, seeds)
	default:
		// In the place of one that is not known by sightings alone, it is tried as long as that.
		if p := z.connect(now, uuid, endpoint); p != nil && (other == nil || other.isKnownBySightings()) {
			p.halfOpen.sightedAt = now
		}
	}
}

// isHeldByProof reports whether the peer at an endpoint has not entered, but has said HELLO with
// the proof of its key: then no sighting, which anybody can forge, takes its place.
func (z *zre) isHeldByProof(at *peer) bool {
	return z.secure && at != nil && at.handshake.state == helloUnconfirmed
}

// connect makes a peer, connects to it and says HELLO. It returns nil if that is not
// possible now; the next sighting tries again.
func (z *zre) connect(now time.Time, uuid [16]byte, endpoint string) *peer {
	if other := z.addressed[endpoint]; other != nil {
		z.forgetPeer(other)
	}
	p := z.newPeer(uuid, endpoint, now)
	p.key = z.keys[uuid]
	z.peers[uuid], z.addressed[endpoint] = p, p
	if !z.sendHello(now, p) {
		z.forgetPeer(p)
		return nil
	}
	return p
}

// endpointConflict handles a newcomer that claims the endpoint of a peer that has
// entered. Either the old process is gone, or the claim is false: a ping to the old one
// decides, and the newcomer waits.
func (z *zre) endpointConflict(now time.Time, holder *peer, uuid [16]byte, endpoint string) *peer {
	p := z.newPeer(uuid, endpoint, now)
	p.key = z.keys[uuid]
	z.peers[uuid] = p
	if holder.claimant != nil {
		z.forgetPeer(holder.claimant)
	}
	holder.claimant = p
	z.startProbe(now, holder, probe{kind: probeEndpoint})
	return p
}

// connectHeld connects to a peer whose HELLO came before it was known where to reach it.
func (z *zre) connectHeld(now time.Time, p *peer, endpoint string) {
	its := p.said()
	if other := z.addressed[endpoint]; other != nil && other != p {
		if other.isEntered() {
			if other.claimant != p {
				z.endpointConflict(now, other, p.uuid, endpoint).hold(its)
			} else {
				p.presence.heard(now)
				z.startProbe(now, other, probe{kind: probeEndpoint})
			}
			return
		}
		if z.isHeldByProof(other) && !its.hasCome() {
			return
		}
		z.forgetPeer(other)
	}
	delete(z.peers, p.uuid)
	q := z.connect(now, p.uuid, endpoint)
	if q != nil && its.hasCome() {
		z.enterIfReached(now, q, its)
		q.handshake.answered()
	}
}

// decideClaim decides on a claim to an endpoint when the claimant's first message after its
// HELLO comes, and returns the claimant, which has entered if the claim is right. A node
// sends messages only once it has our HELLO. We sent the claimant none; but if the holder
// has not shown that it has the one that we sent to it, the process that came after it at
// that endpoint has it. It believes us to be connected, so what it sends must not be lost.
func (z *zre) decideClaim(now time.Time, p *peer, sequence uint16, routingByte byte) *peer {
	if p == nil || p.handshake.state != helloHeld || sequence != 2 ||
		!p.said().hasCome() || p.said().routingByte != routingByte {
		return p
	}
	holder := z.addressed[p.endpoint]
	if holder == nil || holder.claimant != p || !holder.handshake.isEnteredUnconfirmed() || !holder.probe.isPending() {
		return p
	}
	z.removePeer(now, holder, ReasonReplaced)
	return z.peers[p.uuid]
}
