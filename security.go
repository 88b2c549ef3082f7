package zyre

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
	"github.com/go-zyre/zyre/internal/transport"
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
		if err := transport.CheckKeyPair(publicKey, secretKey); err != nil {
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
			if _, ok := transport.RawFromZ85(key); !ok {
				c.reject("set authorized keys", key, ErrInvalid)
			}
		}
		c.curve.restricted, c.curve.authorized = true, slices.Clone(publicKeys)
	})
}

// security is what a secure node knows of keys. The zero value is a plain node.
type security struct {
	enabled bool
	policy  *transport.Policy // which keys may connect; it counts and logs connections refused

	// owned by run
	keys     map[[16]byte]string // public keys of those we have connected to, or will
	warnings ratelimit.Bucket    // for refusals
}

func newSecurity(c *curveConfig, log *slog.Logger) security {
	return security{
		enabled:  c.enabled(),
		policy:   transport.NewPolicy(log, c.restricted, c.authorized),
		keys:     map[[16]byte]string{},
		warnings: ratelimit.NewWarnings(),
	}
}

// listenOptions are the inbox's keys, and who may connect to it.
func (n *node) listenOptions() transport.ListenOptions {
	c := &n.cfg.curve
	if !c.enabled() {
		return transport.ListenOptions{}
	}
	return transport.ListenOptions{PublicKey: c.publicKey, SecretKey: c.secretKey, ZapDomain: c.zapDomain, Policy: n.security.policy}
}

// trusts says whether a secure node may go to the holder of a key that somebody named.
func (n *node) trusts(key string) bool {
	_, ok := transport.RawFromZ85(key)
	return ok && n.security.policy.Allows(key)
}

// dialOptions are what a mailbox for p shows and expects.
func (n *node) dialOptions(p *Peer) transport.DialOptions {
	o := transport.DialOptions{Identity: n.identity}
	if n.security.enabled {
		o.ServerKey, o.PublicKey, o.SecretKey = p.key, n.cfg.curve.publicKey, n.cfg.curve.secretKey
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
func (n *node) keyMatches(now time.Time, p *Peer, uuid [16]byte, m *transport.Packet, v *zreView) bool {
	if !n.security.enabled {
		return true
	}
	ok := m.UserID != "" && (p == nil || p.key == m.UserID || !p.entered() && v.id == HelloID)
	if ok && v.id == HelloID {
		ok = v.header(publicKeyHeader) == m.UserID && n.security.policy.Allows(m.UserID)
	}
	switch {
	case !ok:
		n.refuseKey(now, "message", uuid, string(v.endpoint), m.UserID)
		if p != nil && p.entered() && p.key != m.UserID {
			// libzmq has given the routing id to the newer connection, and hears p no
			// more: only a HELLO makes it connect again.
			n.doubt(now, p, probe{reason: "another used its UUID", regreet: true})
		}
	case p != nil && p.key != m.UserID: // proven, unlike the key of a beacon
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

// refuseKey counts and logs something that came under a wrong key, or none: as a warning
// unless there were many of late.
func (n *node) refuseKey(now time.Time, what string, uuid [16]byte, endpoint, key string) {
	n.counters.keysRefused++
	n.log.Log(context.Background(), n.security.warnings.Level(now), "zyre: refused: the key is not the right one, or not authorized",
		"what", what, "peer", uuidString(uuid), "endpoint", endpoint, "key", key)
}
