package zyre

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// publicKeyHeader carries a secure node's public key in its HELLO.
const publicKeyHeader = "X-PUBLICKEY"

// curveConfig is what the setters of security set.
type curveConfig struct {
	publicKey, secretKey string // Z85; both or none
	zapDomain            string
	restricted           bool // only authorized keys may connect
	authorized           []string
}

func (c *curveConfig) enabled() bool { return c.secretKey != "" }

// SetZCert makes the node secure: it talks only with other secure nodes, encrypted and
// authenticated by CURVE. The keys are Z85 strings of 40 characters, as
// zmq.NewCurveKeypair of github.com/pebbe/zmq4 returns them. It works with beacons,
// gossip and required peers. Keys that do not belong together make Start return an
// error that wraps ErrInvalid. CURVE needs tcp or ipc: with an inproc endpoint Start
// returns an error. No effect after Start. It is zyre_set_zcert of libzyre.
//
// Without [Zyre.SetAuthorizedKeys] any node with a key may connect, as in libzyre.
// Then nobody can listen, but anybody with a key can take part. By connecting under
// the UUID of another node, somebody can also cut that node's connection for about a
// second: EXIT, then ENTER.
func (z *Zyre) SetZCert(publicKey, secretKey string) *Zyre {
	return z.set(func(c *config) {
		if err := checkKeyPair(publicKey, secretKey); err != nil {
			c.reject("set certificate", err.Error(), ErrInvalid)
			return
		}
		c.curve.publicKey, c.curve.secretKey = publicKey, secretKey
	})
}

// SetZapDomain sets the ZAP domain of a secure node, "global" by default. The domain
// appears in the log only, and is never sent to others. More than 200 bytes make Start
// return an error. No effect after Start. It is zyre_set_zap_domain of libzyre.
func (z *Zyre) SetZapDomain(domain string) *Zyre {
	return z.set(func(c *config) { c.curve.zapDomain = domain })
}

// SetAuthorizedKeys sets the public keys, in Z85, of the nodes that may talk with this
// one. Without any keys, no node may. It replaces the keys set before, and applies to
// this node only. Other nodes are refused, counted in [Stats] and logged, and cause no
// event. Without [Zyre.SetZCert], or with an invalid key, Start returns an error that
// wraps ErrInvalid. No effect after Start. It takes the place of libzyre's zauth actor.
func (z *Zyre) SetAuthorizedKeys(publicKeys ...string) *Zyre {
	return z.set(func(c *config) {
		for _, key := range publicKeys {
			if _, ok := rawFromZ85(key); !ok {
				c.reject("set authorized keys", key, ErrInvalid)
			}
		}
		c.curve.restricted, c.curve.authorized = true, slices.Clone(publicKeys)
	})
}

// security is what a secure node knows of keys. The zero value is a plain node.
type security struct {
	enabled bool

	// owned by run
	keys     map[[16]byte]string // public keys of those we have connected to, or will
	warnings tokens              // for refusals

	// owned by the ZAP responder
	zapWarnings tokens
	refused     atomic.Uint64 // clients that ZAP turned away; for all
}

func newSecurity(enabled bool) security {
	t := newWarnings()
	return security{enabled: enabled, keys: map[[16]byte]string{}, warnings: t, zapWarnings: t}
}

// listenOptions are the inbox's keys, and who may connect to it.
func (n *node) listenOptions() listenOptions {
	c := &n.cfg.curve
	if !c.enabled() {
		return listenOptions{}
	}
	return listenOptions{publicKey: c.publicKey, secretKey: c.secretKey, zapDomain: c.zapDomain, allow: n.allow}
}

// allow is the node's ZAP policy. It runs on the responder's goroutine and touches
// only what never changes.
func (n *node) allow(domain, address, key string) bool {
	if n.authorized(key) {
		return true
	}
	n.security.refused.Add(1)
	n.logRefusal(time.Now(), &n.security.zapWarnings,
		"what", "connection", "domain", domain, "address", address, "key", key)
	return false
}

// authorized says whether the holder of a key may talk with this node.
func (n *node) authorized(key string) bool {
	c := &n.cfg.curve
	return key != "" && (!c.restricted || slices.Contains(c.authorized, key))
}

// trusts says whether a secure node may go to the holder of a key that somebody named.
func (n *node) trusts(key string) bool {
	_, ok := rawFromZ85(key)
	return ok && n.authorized(key)
}

// dialOptions are what a mailbox for p shows and expects.
func (n *node) dialOptions(p *Peer) dialOptions {
	o := dialOptions{identity: n.identity}
	if n.security.enabled {
		o.serverKey, o.publicKey, o.secretKey = p.key, n.cfg.curve.publicKey, n.cfg.curve.secretKey
	}
	return o
}

// sightedWithKey handles the news that a node with this UUID and public key can be
// reached at this endpoint. A secure node goes only to keys that are authorized, and
// a UUID keeps its key as long as the peer is here; one that has not come yet, only for
// the time that it has to answer.
func (n *node) sightedWithKey(now time.Time, uuid [16]byte, endpoint, key string) {
	if !n.security.enabled {
		n.sighted(now, uuid, endpoint)
		return
	}
	if !n.trusts(key) {
		n.refuseKey(now, "sighting", uuid, endpoint, key)
		return
	}
	if p := n.peers[uuid]; p != nil && p.key != key {
		if p.entered() || now.Sub(p.born) < n.verifyTime() {
			n.refuseKey(now, "sighting", uuid, endpoint, key)
			return
		}
		n.discard(p) // nobody has proven the key named before
	}
	n.security.keys[uuid] = key
	n.sighted(now, uuid, endpoint)
}

// forgetKeys drops the keys of those who are not here any more.
func (s *security) forgetKeys(peers map[[16]byte]*Peer) {
	for uuid := range s.keys {
		if peers[uuid] == nil {
			delete(s.keys, uuid)
		}
	}
}

// keyMatches says whether a message came from the holder of the right key: p's, or
// for a HELLO of a peer that has not entered the one that the HELLO names; a peer that
// was to have another is forgotten.
func (n *node) keyMatches(now time.Time, p *Peer, uuid [16]byte, m *packet, v *zreView) bool {
	if !n.security.enabled {
		return true
	}
	ok := m.userID != "" && (p == nil || p.key == m.userID || !p.entered() && v.id == HelloID)
	if ok && v.id == HelloID {
		ok = v.header(publicKeyHeader) == m.userID && n.authorized(m.userID)
	}
	switch {
	case !ok:
		n.refuseKey(now, "message", uuid, string(v.endpoint), m.userID)
		if p != nil && p.entered() && p.key != m.userID {
			// libzmq has given the routing id to the newer connection, and hears p no
			// more: only a HELLO makes it connect again.
			n.doubt(now, p, probe{reason: "another used its UUID", regreet: true})
		}
	case p != nil && p.key != m.userID: // proven, unlike the key of a beacon
		n.discard(p)
	}
	return ok
}

// header returns a copy of the value of a header of a HELLO, "" if it has none. If
// the key is repeated, its last value holds.
func (v *zreView) header(name string) (result string) {
	for key, value := range v.headers() {
		if string(key) == name {
			result = string(value)
		}
	}
	return result
}

// refuseKey counts and logs something that came under a wrong key, or none.
func (n *node) refuseKey(now time.Time, what string, uuid [16]byte, endpoint, key string) {
	n.counters.keysRefused++
	n.logRefusal(now, &n.security.warnings, "what", what, "peer", uuidString(uuid), "endpoint", endpoint, "key", key)
}

// logRefusal logs a refusal, as a warning unless there were many of late.
func (n *node) logRefusal(now time.Time, warnings *tokens, args ...any) {
	n.log.Log(context.Background(), warnings.urgency(now), "zyre: refused: the key is not the right one, or not authorized", args...)
}
