package zyre

import (
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// This file is the way from the protocol to the rest of the node: see the type port.

var _ port = (*node)(nil)

func (n *node) dial(endpoint, serverKey string) (transport.Mailbox, error) {
	o := transport.DialOptions{Identity: n.identity}
	if c := &n.cfg.curve; c.enabled() {
		o.ServerKey, o.PublicKey, o.SecretKey = serverKey, c.publicKey, c.secretKey
	}
	return n.seams.transport.Dial(endpoint, o)
}

func (n *node) resolve(endpoint string, l lookup) bool {
	if l.required {
		return n.resolver.Start(endpoint)
	}
	return n.resolver.StartNamed(endpoint, l.charged, n.zre.endpointRule(l.by))
}

func (n *node) hostInterfaces() []netif.Interface {
	host, _ := n.interfaces() // without it, those in use are known
	return host
}

func (n *node) isAuthorized(key string) bool { return n.policy.Allows(key) }

func (n *node) deliver(e *Event) { n.events.push(e) }

func (n *node) blockPeer(uuid [16]byte, blocked bool) { n.commands.blockPeer(uuid, blocked) }
func (n *node) blockGroup(name string, blocked bool)  { n.commands.blockGroup(name, blocked) }
