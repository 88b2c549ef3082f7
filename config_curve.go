package zyre

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// curveConfig is what the setters of security set.
type curveConfig struct {
	publicKey, secretKey string // Z85; both or none
	zapDomain            string
	restricted           bool // only authorized keys may connect
	authorized           []string
}

func (c *curveConfig) enabled() bool { return c.secretKey != "" }

// SetZCert makes the node secure: it talks only with other secure nodes, encrypted and
// authenticated by CURVE. The keys are Z85 strings of 40 characters, as in a [Cert], or as
// zmq.NewCurveKeypair of github.com/pebbe/zmq4 returns them. It works with beacons,
// gossip and required peers. Keys that do not belong together make Start return an
// error that wraps ErrInvalid; it shows neither of them. CURVE needs tcp or ipc: with an
// inproc endpoint Start returns an error. No effect after Start. It is zyre_set_zcert of libzyre.
//
// Without [Zyre.SetAuthorizedKeys] any node with a key may connect, as in libzyre.
// Then nobody can listen, but anybody with a key can take part. By connecting under
// the UUID of another node, somebody can also cut that node's connection for about a
// second: EXIT, then ENTER.
func (z *Zyre) SetZCert(publicKey, secretKey string) *Zyre {
	return z.set(change{"set certificate", "", checkCertificate(publicKey, secretKey), func(c *config) {
		c.curve.publicKey, c.curve.secretKey = publicKey, secretKey
	}})
}

// checkCertificate returns an error unless the keys belong together. It shows neither of
// them: they may be swapped.
func checkCertificate(publicKey, secretKey string) error {
	err := transport.CheckKeyPair(publicKey, secretKey)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrBadKey):
		return wrong("the keys must be 40 characters of Z85 each")
	case transport.CheckKeyPair(secretKey, publicKey) == nil:
		return wrong("the keys are swapped: the public key comes first")
	}
	return wrong("the keys must belong together, the public key first")
}

// SetZapDomain sets the ZAP domain of a secure node, "global" by default. The domain
// appears in the log only, and is never sent to others. More than 200 bytes make Start
// return an error. No effect after Start. It is zyre_set_zap_domain of libzyre.
func (z *Zyre) SetZapDomain(domain string) *Zyre {
	var err error
	if len(domain) > transport.MaxZapDomain {
		err = wrong(fmt.Sprintf("must be of %d bytes or less", transport.MaxZapDomain))
	}
	return z.set(change{"set ZAP domain", domain, err, func(c *config) { c.curve.zapDomain = domain }})
}

// SetAuthorizedKeys sets the public keys, in Z85, of the nodes that may talk with this
// one. Without any keys, no node may. It replaces the keys set before, and applies to
// this node only. Other nodes are refused, counted in [Stats] and logged, and cause no
// event. Without [Zyre.SetZCert], or with an invalid key, Start returns an error that
// wraps ErrInvalid. It takes the place of libzyre's zauth actor.
//
// A running node follows at once: peers whose key is not among the new ones exit, with
// [ReasonRevoked], and what still comes from them is dropped. A node with a new key can
// connect from now on. The same holds for clients of this node's gossip hub. If the running node has no certificate, or a key is invalid,
// nothing changes, and it is logged.
func (z *Zyre) SetAuthorizedKeys(publicKeys ...string) *Zyre {
	keys := slices.Clone(publicKeys)
	ok := z.setLive(change{"set authorized keys", "", z.checkAuthorized(keys), func(c *config) {
		c.curve.restricted, c.curve.authorized = true, keys
	}})
	if ok {
		z.configure(func(n *node, now time.Time) {
			n.policy.SetKeys(z.authorized())
			n.zre.authorizationChanged(now)
		})
		if n := z.node.Load(); n != nil && n.gossip != nil {
			_ = n.gossip.actor.Recheck() // after Stop there is nothing to check
		}
	}
	return z
}

// checkAuthorized returns an error for keys that cannot be authorized now.
func (z *Zyre) checkAuthorized(keys []string) error {
	for i, key := range keys {
		if checkPublicKey(key, false) != nil {
			return wrong(fmt.Sprintf("key %d of %d must be a public key, 40 characters of Z85", i+1, len(keys)))
		}
	}
	z.lock()
	defer z.mu.Unlock()
	if z.node.Load() != nil && !z.cfg.curve.enabled() {
		return errNoCertificate
	}
	return nil
}

// authorized returns the keys set last: those of a caller who was overtaken would come
// too late.
func (z *Zyre) authorized() []string {
	z.lock()
	defer z.mu.Unlock()
	return z.cfg.curve.authorized
}

// listenOptions are the inbox's keys, who may connect to it, and what it takes.
func (c *config) listenOptions(policy *transport.Policy) transport.ListenOptions {
	opts := transport.ListenOptions{MaxMessage: c.maxMessage}
	if k := &c.curve; k.enabled() {
		opts.PublicKey, opts.SecretKey, opts.ZapDomain, opts.Policy = k.publicKey, k.secretKey, k.zapDomain, policy
	}
	return opts
}
