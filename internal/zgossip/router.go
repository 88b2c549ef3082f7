package zgossip

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const (
	// A client that never pings is sent a PONG, which CZMQ ignores, when it
	// has been quiet so long: libzmq then says whether it is still there.
	probeInterval = 15 * time.Second
	// After a HELLO that is not its first, a neighbour has so long to repeat
	// what it vouches for.
	resyncGrace = 10 * time.Second
)

// routingTag starts the routing id of a client of ours, which is, whole:
// tag | 8 random bytes of the instance | 4 bytes that change with each socket.
// So a hub knows the instance, which is one hub of a client, again on another
// connection.
const (
	routingTag  = "\x01ZG1"
	instanceLen = len(routingTag) + 8
	routingLen  = instanceLen + 4
)

// clientKey names the client behind a routing id.
func clientKey(id []byte) (key []byte, ours bool) {
	if len(id) == routingLen && bytes.HasPrefix(id, []byte(routingTag)) {
		return id[:instanceLen], true
	}
	return id, false
}

// bind opens the ROUTER at first need and binds it to one more endpoint.
func (g *Gossip) bind(endpoint string) (string, error) {
	if g.router == nil {
		r, err := newSource(g.ctx, zmq.ROUTER, g.wake, func(soc *zmq.Socket) error {
			err := errors.Join(
				soc.SetRouterMandatory(1),
				soc.SetRouterHandover(true),
				soc.SetMaxmsgsize(maxFrame),
				soc.SetTcpKeepalive(1),
				soc.SetTcpKeepaliveIdle(30),
				soc.SetTcpKeepaliveIntvl(10),
				soc.SetTcpKeepaliveCnt(3),
			)
			if g.opts.SecretKey != "" {
				err = errors.Join(err, soc.SetCurveServer(1), soc.SetCurveSecretkey(g.opts.SecretKey))
			}
			if g.opts.ZapDomain != "" {
				err = errors.Join(err, soc.SetZapDomain(g.opts.ZapDomain))
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("zgossip: bind %s: %w", endpoint, err)
		}
		g.router = r
	}
	if err := g.router.soc.SetIpv6(strings.Contains(endpoint, "[")); err != nil {
		return "", fmt.Errorf("zgossip: bind %s: %w", endpoint, err)
	}
	if err := g.router.soc.Bind(endpoint); err != nil {
		return "", fmt.Errorf("zgossip: bind %s: %w", endpoint, err)
	}
	bound, err := g.router.soc.GetLastEndpoint()
	if err != nil {
		return "", fmt.Errorf("zgossip: bind %s: %w", endpoint, err)
	}
	return strings.TrimRight(bound, "\x00"), nil
}

// readRouter takes up to budget messages from the clients.
func (g *Gossip) readRouter(now time.Time, budget int) {
	r := g.router
	for range budget {
		var parts [2][]byte
		n, err := r.recv(parts[:])
		if err != nil {
			g.readEnd(r, err)
			return
		}
		if n != 2 {
			g.stats.Malformed++
			continue
		}
		var m msg
		if err := m.parse(parts[1]); err != nil {
			g.stats.Malformed++
			continue
		}
		g.fromClient(parts[0], &m, now)
	}
}

func (g *Gossip) fromClient(id []byte, m *msg, now time.Time) {
	key, ours := clientKey(id)
	c := g.clients[string(key)]
	if c != nil {
		c.heard, c.down, c.pings = now, time.Time{}, c.pings || m.id == idPing
		if m.id != idHello && !bytes.Equal(c.id, id) {
			c = nil // another connection of the same instance: HELLO first
		}
	}
	switch {
	case m.id == idHello:
		g.hello(c, id, key, ours, now)
	case m.id == idPing:
		g.reply(id, idPong)
		if c == nil && ours {
			g.reply(id, idInvalid)
		}
	case m.id != idPublish:
		g.stats.Unexpected++
	case c == nil:
		g.stats.Strangers++
		g.reply(id, idInvalid)
	default:
		g.learn(c, m, now)
	}
}

// hello welcomes a client, or starts over with one that has lost its memory.
func (g *Gossip) hello(c *link, id, key []byte, ours bool, now time.Time) {
	if c == nil {
		if len(g.clients) >= g.opts.MaxClients {
			g.stats.Refused++
			return // no INVALID: CZMQ answers it with HELLO, for ever
		}
		c = &link{pings: ours, heard: now}
		g.clients[string(key)] = c
		g.log.Debug("gossip client came", "client", fmt.Sprintf("%x", id))
	} else {
		c.epoch++
		c.resync = now.Add(resyncGrace)
	}
	c.id = bytes.Clone(id)
	c.sent, c.floor, c.blocked = 0, g.table.seq, false
}

// reply answers with a bare command, which is lost on a client that takes none.
func (g *Gossip) reply(id []byte, cmd byte) {
	g.buf = appendHead(g.buf[:0], cmd)
	if g.router.send(id, g.buf) != nil {
		g.stats.Unsent++
	}
}

// toClient hands one frame to a client and notes when it cannot take it.
func (g *Gossip) toClient(c *link, frame []byte, now time.Time) bool {
	if err := g.router.send(c.id, frame); err != nil {
		c.blocked = true
		if c.down.IsZero() && zmq.AsErrno(err) == zmq.EHOSTUNREACH {
			c.down = now
		}
		return false
	}
	return true
}

// tickClients forgets the clients that are gone.
func (g *Gossip) tickClients(now time.Time) {
	for key, c := range g.clients {
		c.blocked = false
		quiet := now.Sub(c.heard)
		switch {
		case c.pings && quiet > g.opts.ClientTimeout,
			!c.pings && !c.down.IsZero() && now.Sub(c.down) > g.opts.QuietTimeout:
			delete(g.clients, key)
			c.down = now
			n := g.table.lose(c, false, now)
			g.stats.Expired++
			g.log.Debug("gossip client lost", "client", fmt.Sprintf("%x", c.id), "tuples", n)
		case !c.pings && c.down.IsZero() && quiet > probeInterval && now.Sub(c.probed) > probeInterval:
			c.probed = now
			g.buf = appendHead(g.buf[:0], idPong)
			g.toClient(c, g.buf, now)
		case c.pings && !c.resync.IsZero() && now.After(c.resync):
			c.resync = time.Time{}
			g.table.lose(c, true, now)
		}
	}
}
