package zyre

import (
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/transport"
)

// seedTest tells whether a node that names another address than a seed's is there all the
// same, as a host with several addresses may be. Of two connections of ours to one node it
// reads the newest alone: libzmq keeps the other one open, and what is sent on it vanishes.
// So before there is a second one, the connection to the seed is tested.
//
// It is pinged, and nothing else that the node could answer: so its PING-OK shows that it is
// there. Only one seed is tested at a time, and only nodes with the seed's port are in
// question.
type seedTest struct {
	seed  *peer // nil if none is tested
	until time.Time
}

// isInTest reports whether a peer is held until it is known whether it is at a seed.
func (p *peer) isInTest() bool {
	return p.handshake.state == helloHeld && p.held != nil && p.held.suspects != nil
}

// maxSuspects is how many seeds a newcomer is suspected to be at. Each that does not answer
// delays its ENTER by the time that a probe may take.
const maxSuspects = 2

// suspectedSeeds lists the open seeds with the port of an endpoint: first those to which a
// connection stands.
func (z *zre) suspectedSeeds(now time.Time, endpoint, key string) (seeds []*peer) {
	for uuid := range z.seeds {
		if s := z.peers[uuid]; z.isOpenSeed(s, key) && isSamePort(s.endpoint, endpoint) {
			seeds = append(seeds, s)
		}
	}
	slices.SortFunc(seeds, func(a, b *peer) int { return strings.Compare(a.endpoint, b.endpoint) })
	opened := openedSeeds(now, seeds)
	seeds = append(opened, slices.DeleteFunc(seeds, func(s *peer) bool { return slices.Contains(opened, s) })...)
	return seeds[:min(len(seeds), maxSuspects)]
}

func isSamePort(a, b string) bool {
	ap, errA := transport.ParseEndpoint(a)
	bp, errB := transport.ParseEndpoint(b)
	return errA == nil && errB == nil && ap.IsValid() && bp.IsValid() && ap.Port() == bp.Port()
}

// openedSeeds lists those of some seeds to which a connection stands.
func openedSeeds(now time.Time, seeds []*peer) (opened []*peer) {
	for _, s := range seeds {
		if s.mailbox.Moved(now, transport.Conn{}).Sent > 0 {
			opened = append(opened, s)
		}
	}
	return opened
}

// holdForTest holds a peer until the seeds have been tested that it may be at. Its HELLO may not
// have come yet: then all that is known of it is the endpoint.
func (z *zre) holdForTest(now time.Time, uuid [16]byte, its hello, seeds []*peer) {
	p := z.newPeer(uuid, "", now)
	p.key, p.held = z.keys[uuid], &heldHello{hello: its, suspects: seeds}
	z.peers[uuid] = p
	z.testSeeds(now)
}

// testSeeds ends the test whose time is up, and begins the next one.
func (z *zre) testSeeds(now time.Time) {
	t := &z.seedTest
	if t.seed != nil && z.isOpenSeed(t.seed, t.seed.key) && now.Before(t.until) {
		return
	}
	tested := t.seed
	*t = seedTest{}
	for _, p := range z.peersInTest() {
		h := p.held
		h.suspects = slices.DeleteFunc(h.suspects, func(s *peer) bool { return s == tested || !z.isOpenSeed(s, p.key) })
		if len(h.suspects) > 0 {
			z.beginSeedTest(now, h.suspects[0])
			continue
		}
		h.suspects = nil
		if endpoint, err := z.reachable(h.endpoint, z.namedBy(h.from).by); err == nil && z.peers[p.uuid] == p {
			z.connectHeld(now, p, endpoint)
		}
	}
	z.testSeedOfEntered(now)
}

// seedTests plans when an open seed is tested because of peers that have entered. An answer
// may be lost, so that it is tested again, ever more rarely.
type seedTests struct {
	next  time.Time
	retry backoff.Backoff
}

// tested plans the next test.
func (t *seedTests) tested(now time.Time) {
	t.retry.Min, t.retry.Max = knownNodeShortest, knownNodeLongest
	t.next = now.Add(t.retry.Next())
}

// testSeedOfEntered begins to test a seed that a peer may be at that has entered already.
func (z *zre) testSeedOfEntered(now time.Time) {
	for uuid, k := range z.seeds {
		s := z.peers[uuid]
		if !z.isOpenSeed(s, k.key) || now.Before(s.seedTests.next) || now.Sub(s.handshake.sentAt) < z.timeouts.verify() {
			continue
		}
		for _, p := range z.peers {
			if p.isEntered() && isSamePort(p.endpoint, s.endpoint) && z.beginSeedTest(now, s) {
				s.seedTests.tested(now)
				return
			}
		}
	}
}

// peersInTest lists the peers that are held because of seeds.
func (z *zre) peersInTest() (held []*peer) {
	for _, p := range z.peers {
		if p.isInTest() {
			held = append(held, p)
		}
	}
	slices.SortFunc(held, func(a, b *peer) int { return strings.Compare(a.id, b.id) })
	return held
}

// beginSeedTest pings a seed, unless another one is being tested, and reports whether it
// did.
func (z *zre) beginSeedTest(now time.Time, s *peer) bool {
	if z.seedTest.seed != nil {
		return false
	}
	z.seedTest = seedTest{s, now.Add(z.timeouts.verify())}
	z.wakeBy(z.seedTest.until)
	z.ping(now, s)
	return true
}

// seedTestAnswered handles a PING-OK of a peer that is held because of seeds, and reports
// whether it shows that the peer is at the one that is being tested. Then it enters on the
// connection to the seed.
func (z *zre) seedTestAnswered(now time.Time, p *peer, sequence uint16) bool {
	s := z.seedTest.seed
	if p == nil || !p.isInTest() || !slices.Contains(p.held.suspects, s) || !z.isOpenSeed(s, p.key) {
		return false
	}
	its := p.held.hello
	z.forgetPeer(p)
	z.nameSeed(s, p.uuid)
	switch {
	case sequence == 2 && its.hasCome():
		z.enter(now, s, its)
		s.in.accept(sequence)
	case !z.sendHello(now, s): // messages came before the answer, HELLO perhaps, and were dropped
		z.forgetPeer(s)
	}
	z.testSeeds(now)
	return true
}

// seedTestAnsweredByPeer handles a PING-OK of a peer that has entered. If we have not
// pinged it, it is at the seed that is being tested as well, and has read that connection
// last: so HELLO goes to it on a fresh one, what was sent on the other may be lost, and it returns
// true.
func (z *zre) seedTestAnsweredByPeer(now time.Time, p *peer) bool {
	s := z.seedTest.seed
	if s == nil || p.presence.unanswered > 0 || !z.isOpenSeed(s, p.key) || !isSamePort(p.endpoint, s.endpoint) {
		return false
	}
	z.known[s.uuid].heldBy(p)
	z.forgetPeer(s)
	again := z.sendHello
	if p.sentSinceHello {
		again = func(now time.Time, p *peer) bool { return z.resendHello(now, p, ReasonLost) }
	}
	if !again(now, p) {
		z.removePeer(now, p, ReasonFailed)
	}
	return true
}
