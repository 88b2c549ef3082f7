package zgossip

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/netif"
)

const (
	// checkInterval is how long a client that never sends PING may be silent before it is
	// sent a PONG, which CZMQ ignores: libzmq then says whether the client is connected.
	checkInterval = 15 * time.Second
	// unconfirmedTime is how long what was sent to a client may go unconfirmed before its
	// connection ends: the system would repeat it for a quarter of an hour.
	unconfirmedTime = time.Minute
)

// The routing id of a client of this package is
//
//	routingTag | 8 random bytes | 4 bytes that change with each socket
//
// All but the last four bytes are the instance: one Gossip as the client of one hub. By it
// the hub recognizes the client on a new connection.
const (
	routingTag  = "\x01ZG1"
	instanceLen = len(routingTag) + 8
	routingLen  = instanceLen + 4
)

// clientKey returns the instance of a client of this package, which sends PING, and the
// whole routing id of any other client.
func clientKey(id []byte) (key []byte, pings bool) {
	if len(id) == routingLen && bytes.HasPrefix(id, []byte(routingTag)) {
		return id[:instanceLen], true
	}
	return id, false
}

// bind binds the ROUTER, which it makes first if there is none, to one more endpoint.
func (g *Gossip) bind(endpoint string) (bound string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("zgossip: bind %s: %w", endpoint, err)
		}
	}()
	if g.router == nil {
		if g.router, err = g.sockets.Router(&g.opts, g.wake); err != nil {
			return "", err
		}
		g.guard = g.router.Guard()
	}
	return g.router.Bind(endpoint)
}

// readRouter reads up to limit messages from the clients.
func (g *Gossip) readRouter(now time.Time, limit int) {
	for range limit {
		var parts [2][]byte
		n, from, err := g.router.ReceiveFrom(parts[:])
		if errors.Is(err, errPartial) {
			continue
		}
		if err != nil {
			g.onReceiveError(g.router, err)
			return
		}
		var m msg
		switch {
		case n != 2 || m.parse(parts[1]) != nil:
			g.stats.Malformed++
		case !g.mayGoOn(from.Key):
			g.stats.Refused++
		default:
			g.onClientMessage(parts[0], from.Address, &m, now)
			key, _ := clientKey(parts[0])
			if c := g.clients[string(key)]; c != nil {
				c.key = from.Key
				if from.Conn.IsKnown() {
					c.conn = from.Conn
				}
			}
		}
	}
}

// mayGoOn reports whether the holder of a key may be a client. Without CURVE, as over
// inproc, there is no key.
func (g *Gossip) mayGoOn(key string) bool {
	return key == "" || g.opts.Allows == nil || g.opts.Allows(key)
}

func (g *Gossip) onClientMessage(id []byte, address string, m *msg, now time.Time) {
	key, pings := clientKey(id)
	c := g.clients[string(key)]
	if c != nil {
		c.heard, c.downSince, c.pings = now, time.Time{}, c.pings || m.id == idPing
		if m.id != idHello && !bytes.Equal(c.id, id) {
			c = nil // the same instance on another connection has to send HELLO first
		}
	}
	switch {
	case m.id == idHello:
		g.onHello(c, id, key, address, pings, now)
	case m.id == idPing:
		g.reply(id, idPong)
		if c == nil && pings {
			g.reply(id, idInvalid)
		}
	case m.id != idPublish:
		g.stats.Unexpected++
	case c == nil:
		g.stats.NoHello++
		g.reply(id, idInvalid)
	default:
		g.learn(c, m, now)
	}
}

// onHello takes a new client, c being nil, or starts again with one that it knows: all
// tuples are sent to it.
func (g *Gossip) onHello(c *link, id, key []byte, address string, pings bool, now time.Time) {
	if c == nil {
		address = hostOf(address)
		at := g.hosts[address]
		if at == nil {
			at = &host{}
		}
		if len(g.clients) >= g.opts.MaxClients && !g.makeRoom(at, now) {
			g.stats.Refused++
			return // without INVALID, to which CZMQ would answer HELLO for ever
		}
		c = &link{
			pings: pings, heard: now, host: at, address: address, instance: string(key), joinedAt: g.table.order,
		}
		at.clients++
		g.greedy.update(at)
		g.hosts[address] = at
		g.clients[string(key)] = c
		g.log.Info("gossip client came", "client", fmt.Sprintf("%x", id))
	} else {
		g.table.resync(c)
		if !c.wasAsked || !bytes.Equal(c.id, id) {
			c.sentAll = time.Time{} // it may be a new connection
		}
	}
	c.id = bytes.Clone(id)
	c.sent, c.blocked, c.wasAsked = 0, false, false
}

// hostOf returns what the host at an IP address is counted by; empty over inproc and ipc.
func hostOf(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	return netif.HostOf(addr).String()
}

// makeRoom forgets the client that was heard longest ago of the host that has most of them,
// and reports whether it did: not if that is the host at, or has no more than that.
func (g *Gossip) makeRoom(at *host, now time.Time) bool {
	greediest := g.greedy.greediest()
	if greediest == nil || greediest.clients <= at.clients+1 {
		return false
	}
	oldest := ""
	for key, c := range g.clients {
		if c.host == greediest && (oldest == "" || c.heard.Before(g.clients[oldest].heard)) {
			oldest = key
		}
	}
	g.stats.Evicted++
	g.forgetClient(oldest, g.clients[oldest], now)
	return true
}

// reply answers with a command that has no fields. It is lost if the client takes nothing;
// reply reports whether it does.
func (g *Gossip) reply(id []byte, cmd byte) bool {
	g.buf = appendHead(g.buf[:0], cmd)
	err := g.router.SendTo(id, g.buf)
	if err != nil {
		g.stats.Unsent++
	}
	return err == nil
}

// sendToClient sends one frame to a client and reports whether the client takes it.
func (g *Gossip) sendToClient(c *link, frame []byte, now time.Time) bool {
	if err := g.router.SendTo(c.id, frame); err != nil {
		c.blocked = true
		if c.downSince.IsZero() && zmq.AsErrno(err) == zmq.EHOSTUNREACH {
			c.downSince = now
		}
		return false
	}
	return true
}

// tickClients forgets the clients that are gone.
func (g *Gossip) tickClients(now time.Time) {
	for key, c := range g.clients {
		c.blocked = false
		if c.isToBeRefilled(now) && g.table.hasRoom(c) {
			if c.refillAt = (time.Time{}); c.askAt.IsZero() {
				c.askAt = now
			}
		}
		silence := now.Sub(c.heard)
		switch {
		case c.pings && silence > g.opts.ClientTimeout,
			!c.pings && !c.downSince.IsZero() && now.Sub(c.downSince) > g.opts.QuietTimeout:
			g.stats.Expired++
			g.forgetClient(key, c, now)
		case !c.pings && c.downSince.IsZero() && silence > checkInterval && now.Sub(c.checkedAt) > checkInterval:
			c.checkedAt = now
			g.buf = appendHead(g.buf[:0], idPong)
			g.sendToClient(c, g.buf, now)
		case c.isToBeAsked(now) && g.reply(c.id, idInvalid):
			c.askAt, c.wasAsked = time.Time{}, true
		}
	}
}

// forgetClient drops a client and takes back the tuples that it owns.
func (g *Gossip) forgetClient(key string, c *link, now time.Time) {
	delete(g.clients, key)
	c.downSince = now
	n := g.table.dropOwned(c, now)
	if h := c.host; h != nil {
		h.clients--
		g.greedy.update(h)
		if h.clients == 0 {
			delete(g.hosts, c.address)
		}
	}
	g.log.Info("gossip client lost", "client", fmt.Sprintf("%x", c.id), "tuples", n)
}
