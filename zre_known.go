package zyre

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/transport"
)

// Nodes known from gossip and RequirePeer are tried again and again, ever more rarely.
const (
	knownNodeShortest = time.Second
	knownNodeLongest  = 30 * time.Second
	maxKnownNodes     = 10_000
	// correctionTime is what a node has to answer where it was said to be before. Of two
	// hubs with different endpoints for it, the one with the right one may come first.
	correctionTime = 200 * time.Millisecond
	// lookupRetry is the time between look-ups of the host name in the HELLO of a peer
	// that nothing else is known of.
	lookupRetry = 2 * time.Second
)

// knownNode is a node that gossip or the application says can be reached somewhere.
type knownNode struct {
	endpoint string
	key      string     // CURVE public key, Z85; empty on a plain network
	required bool       // by RequirePeer: never given up
	source   string     // if it is not: the neighbour in gossip that has told of it
	metAt    netip.Addr // the host at which it has entered, if it has since it is known by this endpoint
	next     time.Time
	retry    backoff.Backoff
	turn     int  // of the addresses of its host name
	corrects bool // another endpoint was told before, and this one has not been tried yet
	// correctedAt is when one was last tried at once for that; a second later another may be.
	correctedAt time.Time

	seed   bool     // its UUID is not known; see zre_seed.go
	holder [16]byte // of a seed: the peer that is there
	heldAt string   // the endpoint of that peer; empty if there was none
}

func newKnownNode(endpoint, key string, required bool) *knownNode {
	return &knownNode{
		endpoint: endpoint, key: key, required: required,
		retry: backoff.Backoff{Min: knownNodeShortest, Max: knownNodeLongest},
	}
}

// naming returns who has named the endpoint. Look-ups for a node that has entered are charged to
// its host: others that the same neighbour tells of take none of them.
func (k *knownNode) naming() naming {
	if k.metAt.IsValid() {
		return naming{transport.NamedInGossip, k.metAt.String()}
	}
	return naming{transport.NamedInGossip, k.source}
}

// tried plans the next try.
func (k *knownNode) tried(now time.Time) { k.next = now.Add(k.retry.Next()) }

// entered plans the next try for when the peer is lost.
func (k *knownNode) entered(now time.Time) {
	k.retry.Reset()
	k.next = now.Add(knownNodeShortest)
}

// addKnownNode takes note of a node and tries to reach it.
func (z *zre) addKnownNode(now time.Time, uuid [16]byte, k *knownNode) {
	old := z.known[uuid]
	if old == nil && !k.required && len(z.known) >= maxKnownNodes || old != nil && old.required && !k.required {
		z.counters.sightingsRefused++
		return
	}
	if old != nil {
		k.correctedAt = old.correctedAt
		if k.endpoint == old.endpoint {
			k.metAt = old.metAt
		}
		k.corrects = old.endpoint != k.endpoint && now.Sub(k.correctedAt) >= knownNodeShortest
	}
	z.known[uuid] = k
	if k.seed {
		z.seeds[uuid] = k
	}
	z.tryConnect(now, uuid, k)
}

// tryConnect tries to reach a known node.
func (z *zre) tryConnect(now time.Time, uuid [16]byte, k *knownNode) {
	k.tried(now)
	if needsLookup(k.endpoint) {
		z.counters.unreachable++ // until it has been looked up
	}
	z.resolveAndConnect(now, k.endpoint, lookup{uuid, k.key, k.turn, k.required, k.naming()})
	k.turn++ // unless it enters, the next try is for another address
}

// retryKnownNodes tries those known nodes again that have not entered. One that is being
// connected to, but elsewhere, may have moved, or its host name may have other addresses.
func (z *zre) retryKnownNodes(now time.Time) {
	for uuid, k := range z.known {
		p := z.peers[uuid]
		if k.seed {
			p = z.seedPeer(uuid, k)
		}
		if p != nil && p.halfOpen != nil {
			p.halfOpen.sightedAt = time.Time{}
		}
		switch {
		case p != nil && p.isEntered() && (p.endpoint == k.endpoint || !z.isNothingSaid(now, p)):
			k.entered(now)
			k.metAt = p.host()
			if k.seed {
				z.checkHolder(now, p)
			}
		case now.Before(k.next):
		case p == nil, p.mailbox != nil && p.endpoint != k.endpoint:
			z.tryConnect(now, uuid, k)
		}
	}
}

// needsLookup reports whether an endpoint has a host name in place of an address.
func needsLookup(endpoint string) bool {
	_, err := transport.ParseEndpoint(endpoint)
	return errors.Is(err, transport.ErrNeedsLookup)
}

// lookup is one of those whom a look-up that is under way is for. Each gets the answer: else who
// names the host name of another node would keep that from being met.
type lookup struct {
	uuid     [16]byte
	key      string
	turn     int  // which of the addresses is to be tried
	required bool // the application has named the endpoint
	naming        // or who else has
}

// lookupKey is what a look-up is known by. What the application requires is looked up
// apart from what others have named, whose addresses are not all used.
type lookupKey struct {
	endpoint string
	required bool
}

// resolveAndConnect goes to a node at an endpoint that may have a host name. That is
// looked up elsewhere; resolved takes the answer.
func (z *zre) resolveAndConnect(now time.Time, endpoint string, l lookup) {
	_, err := transport.ParseEndpoint(endpoint)
	switch {
	case errors.Is(err, transport.ErrNeedsLookup):
		key := lookupKey{endpoint, l.required}
		switch askers := z.lookups[key]; {
		case askers != nil:
			askers[l.uuid] = l
		case z.port.resolve(endpoint, l):
			z.lookups[key] = map[[16]byte]lookup{l.uuid: l}
		default:
			z.counters.lookupsRefused++
		}
	case err != nil:
		z.counters.unreachable++
	default:
		z.sightedKnown(now, l.uuid, endpoint, l.key)
	}
}

// resolved handles the answer of a look-up: the endpoint with each address in place of
// the host name, or why there is none.
func (z *zre) resolved(now time.Time, key lookupKey, numeric []string, err error) {
	askers := z.lookups[key]
	delete(z.lookups, key)
	if errors.Is(err, transport.ErrGaveWay) {
		z.counters.lookupsRefused++
	}
	for _, uuid := range slices.SortedFunc(maps.Keys(askers), compareUUIDs) {
		z.lookedUp(now, key, askers[uuid], numeric, err)
	}
}

// lookedUp gives the answer of a look-up to one of those whom it is for. Of what a peer or
// gossip has named only those are taken that could have been named instead.
func (z *zre) lookedUp(now time.Time, key lookupKey, l lookup, numeric []string, err error) {
	var those []string
	for _, e := range numeric {
		reachable, err := z.reachable(e, l.by)
		switch {
		case l.required:
			those = append(those, e)
		case err == nil:
			those = append(those, reachable)
		}
	}
	if len(those) == 0 && l.required {
		z.log.Warn("a required peer's host name has no address", "endpoint", key.endpoint, "peer", uuidString(l.uuid), "err", err)
	}
	if len(those) == 0 {
		z.log.Debug("cannot look up a host name", "endpoint", key.endpoint, "addresses", numeric, "err", err)
		return
	}
	z.sightedKnown(now, l.uuid, those[l.turn%len(those)], l.key)
}

// lookUpHeld looks up the host name that a peer in helloHeld says it can be reached at, if
// it does, and again if that has failed.
func (z *zre) lookUpHeld(now time.Time, p *peer) {
	h := p.held
	if h == nil || now.Before(h.lookUpAt) || !needsLookup(h.endpoint) {
		return
	}
	l := lookup{p.uuid, p.key, h.lookUps, false, z.namedBy(h.from)}
	h.lookUpAt = now.Add(lookupRetry)
	h.lookUps++
	z.resolveAndConnect(now, h.endpoint, l)
}

// gossiped handles news from gossip: where a node can be reached, and under which key. source
// is the neighbour that it came from: the host of a client, or a hub.
// A peer that has entered stays as long as it answers, whatever gossip says.
func (z *zre) gossiped(now time.Time, uuid [16]byte, endpoint, key, source string) {
	if uuid == z.uuid {
		return
	}
	told := endpoint
	endpoint, err := z.reachable(endpoint, transport.NamedInGossip)
	if err != nil && !errors.Is(err, transport.ErrNeedsLookup) {
		z.counters.unreachable++
		z.log.Warn("gossip tells of a node with an endpoint that cannot be used from here",
			"peer", uuidString(uuid), "endpoint", told, "err", err)
		return
	}
	if z.secure && !z.isTrusted(key) {
		z.noteKeyRefused("tuple", uuid, endpoint, key)
		return
	}
	k := newKnownNode(endpoint, key, false)
	k.source = source
	z.addKnownNode(now, uuid, k)
}

// ungossiped handles the news from gossip that a node is gone.
func (z *zre) ungossiped(uuid [16]byte) {
	if uuid == z.uuid {
		return
	}
	if k := z.known[uuid]; k != nil && !k.required {
		delete(z.known, uuid)
	}
	if p := z.peers[uuid]; p != nil && !p.isEntered() {
		z.forgetPeer(p)
	}
}
