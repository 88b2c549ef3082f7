package zyre

import (
	"slices"

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

// listenOptions are the inbox's keys, and who may connect to it.
func (n *node) listenOptions() transport.ListenOptions {
	c := &n.cfg.curve
	if !c.enabled() {
		return transport.ListenOptions{}
	}
	return transport.ListenOptions{
		PublicKey: c.publicKey, SecretKey: c.secretKey, ZapDomain: c.zapDomain, Policy: n.policy,
	}
}
