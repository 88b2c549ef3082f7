package zyre

import (
	"net/netip"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
)

// A peer that restarts its session too often is ignored for a while.
const (
	restartRate    = 1.0 // a second, in the long run
	restartBurst   = 10
	ignoreTime     = 5 * time.Second
	throttleMemory = time.Minute
	maxThrottles   = 4096 // peers whose restarts are remembered; beyond it one of the host with most gives way
)

// Limits on half-open peers: those that a beacon, gossip, the application or their HELLO has
// told of, and that have not entered.
const (
	maxHalfOpen   = 1024 // beyond it the oldest gives way
	halfOpenRate  = 500  // new ones a second, in the long run
	halfOpenBurst = 250  // at once: each costs the node some 0.3 ms
	// Beyond that, so many of all hosts, and of each host, in a second and at once: else one that
	// names very many nodes, again and again, would take what there is from all others.
	restRate      = 50
	restBurst     = 50
	hostRate      = 1
	hostBurst     = 4
	maxOwnBuckets = 1024 // hosts that are told apart
)

// admission limits how often a half-open peer is made.
type admission struct {
	all, rest ratelimit.Bucket
	own       map[netip.Addr]*ratelimit.Bucket // what each host may have of the rest
}

func newAdmission() admission {
	return admission{
		all:  ratelimit.Bucket{Rate: halfOpenRate, Burst: halfOpenBurst},
		rest: ratelimit.Bucket{Rate: restRate, Burst: restBurst},
		own:  map[netip.Addr]*ratelimit.Bucket{},
	}
}

// take reports whether one of a host may be made, and counts it if it may.
func (a *admission) take(now time.Time, host netip.Addr) bool {
	if a.all.Take(now) {
		return true
	}
	own := a.ownBucket(now, host)
	return own != nil && own.Take(now) && a.rest.Take(now)
}

// ownBucket returns that of a host; nil if there are too many.
func (a *admission) ownBucket(now time.Time, host netip.Addr) *ratelimit.Bucket {
	own := a.own[host]
	if own != nil {
		return own
	}
	if len(a.own) >= maxOwnBuckets {
		for other, b := range a.own {
			if now.Sub(b.Last()) >= hostBurst*time.Second/hostRate { // it is full again
				delete(a.own, other)
			}
		}
		if len(a.own) >= maxOwnBuckets {
			return nil
		}
	}
	own = &ratelimit.Bucket{Rate: hostRate, Burst: hostBurst}
	a.own[host] = own
	return own
}

// throttle limits how often one peer may restart its session.
type throttle struct {
	host         netip.Addr // that the peer was last at
	restarts     ratelimit.Bucket
	ignoredUntil time.Time
}

func newThrottle(host netip.Addr) *throttle {
	return &throttle{host: host, restarts: ratelimit.Bucket{Rate: restartRate, Burst: restartBurst}}
}

// isIgnoring reports whether the peer is ignored for now.
func (t *throttle) isIgnoring(now time.Time) bool { return t != nil && now.Before(t.ignoredUntil) }

// isForgettable reports whether the peer has given no trouble for long enough.
func (t *throttle) isForgettable(now time.Time) bool {
	return now.Sub(t.restarts.Last()) > throttleMemory
}

// restart counts a restart. It returns whether the peer may restart and, if it may
// not, whether it is ignored only from now on.
func (t *throttle) restart(now time.Time) (allowed, ignored bool) {
	if t.isIgnoring(now) {
		return false, false
	}
	if t.restarts.Take(now) {
		return true, false
	}
	t.ignoredUntil = now.Add(ignoreTime)
	return false, true
}

// isThrottled reports whether a peer is ignored for now.
func (z *zre) isThrottled(now time.Time, uuid [16]byte) bool {
	return z.throttles[uuid].isIgnoring(now)
}

// admitRestart counts that a peer restarts its session, and reports whether it may.
func (z *zre) admitRestart(now time.Time, uuid [16]byte) bool {
	t := z.throttles[uuid]
	if t == nil {
		if len(z.throttles) >= maxThrottles {
			z.evictThrottle()
		}
		host := netip.Addr{}
		if p := z.peers[uuid]; p != nil {
			host = p.host()
		}
		t = newThrottle(host)
		z.throttles[uuid] = t
	}
	allowed, ignored := t.restart(now)
	if ignored {
		z.counters.throttled++
		z.log.Warn("a peer restarts its session too often, and is ignored", "peer", uuidString(uuid), "ignored_for", ignoreTime)
	}
	return allowed
}

// evictThrottle forgets, of the host with most peers that are remembered, the one that has been
// quiet for longest: who makes many takes places from itself alone.
func (z *zre) evictThrottle() {
	hosts := map[netip.Addr]int{}
	var most netip.Addr
	for _, t := range z.throttles {
		hosts[t.host]++
		if n := hosts[t.host]; n > hosts[most] || n == hosts[most] && t.host.Less(most) {
			most = t.host
		}
	}
	var oldest [16]byte
	for uuid, t := range z.throttles {
		if t.host != most {
			continue
		}
		last := z.throttles[oldest]
		if last == nil || t.restarts.Last().Before(last.restarts.Last()) ||
			t.restarts.Last().Equal(last.restarts.Last()) && slices.Compare(uuid[:], oldest[:]) < 0 {
			oldest = uuid
		}
	}
	delete(z.throttles, oldest)
}

// forgetThrottles drops those of peers that have been quiet for long.
func (z *zre) forgetThrottles(now time.Time) {
	for uuid, t := range z.throttles {
		if t.isForgettable(now) {
			delete(z.throttles, uuid)
		}
	}
}

// admit makes room for one more half-open peer, of a host, and reports whether it may be made.
// One that the application requires is always admitted.
func (z *zre) admit(now time.Time, by *admission, uuid [16]byte, host netip.Addr) bool {
	if z.isRequired(uuid) {
		return true
	}
	if !by.take(now, host) {
		return false
	}
	if len(z.peers)-z.entered >= maxHalfOpen {
		if p := z.oldestHalfOpen(); p != nil {
			z.counters.evicted++
			z.forgetPeer(p)
		}
	}
	return true
}

// isRequired reports whether the application requires a peer.
func (z *zre) isRequired(uuid [16]byte) bool {
	k := z.known[uuid]
	return k != nil && k.required
}

// oldestHalfOpen returns the oldest half-open peer of the host that has the most of them, so
// that a host that makes many takes places from itself alone. One that the application requires keeps its
// place.
func (z *zre) oldestHalfOpen() *peer {
	hosts := map[netip.Addr]int{}
	var most netip.Addr
	each := func(do func(p *peer, host netip.Addr)) {
		for uuid, p := range z.peers {
			if p.halfOpen != nil && !z.isRequired(uuid) {
				do(p, p.host())
			}
		}
	}
	each(func(_ *peer, host netip.Addr) {
		hosts[host]++
		if n := hosts[host]; n > hosts[most] || n == hosts[most] && host.Less(most) {
			most = host
		}
	})
	var oldest *peer
	each(func(p *peer, host netip.Addr) {
		if host == most && (oldest == nil || p.halfOpen.since.Before(oldest.halfOpen.since)) {
			oldest = p
		}
	})
	return oldest
}
