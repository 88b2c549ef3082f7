package zgossip

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/backoff"
)

const (
	// helloGap is the least time between two HELLOs to one hub, so that its
	// INVALIDs do not make a loop.
	helloGap = 250 * time.Millisecond
	// An own tuple is repeated with one PING in so many: the PUBLISH of a client
	// that the hub has forgotten is answered with INVALID, a PING is not.
	probeEvery = 3
	// A hub that answers none of so many PINGs gets a new connection; so many
	// more each time in a row, up to silenceMax.
	silentPings = 6
	silenceMax  = 30 * time.Second
	// After so long without a hub the others are asked again for all they have.
	askAfter = 5 * time.Second
	// A name that cannot be resolved, or a socket that cannot be had, is tried
	// again after retryGap.
	retryGap = time.Second
	// CZMQ's hub forgets us when we do not get to PING for one second.
	forgetful = 900 * time.Millisecond
)

// hub is one hub that we are a client of. Its DEALER is replaced when the
// hub does not answer: that helps against inproc hubs that are bound again,
// changed addresses, half-open connections and a ROUTER that still holds our id.
type hub struct {
	link
	endpoint  string
	serverKey string
	instance  string // routing id without its last four bytes

	dealer  *source // nil while waiting for an address or the next try
	monitor *source // tells connections from disconnections; nil for inproc
	retry   time.Time

	connected bool
	lookup    bool // an address is being looked for
	lost      bool // what it vouched for is gone
	asked     bool // others were asked in its absence

	needHello bool
	lastHello time.Time
	lastPing  time.Time
	pingsSent int
	since     time.Time       // when the dealer was made or lost its connection
	silence   backoff.Backoff // its Current is how much of it we bear
}

// newHub has an instance of its own: what we take for two hubs, by their endpoints, may
// be one, that has to take us for two clients.
func newHub(endpoint, serverKey string, pingInterval time.Duration, now time.Time) *hub {
	random := make([]byte, instanceLen-len(routingTag))
	rand.Read(random)
	h := &hub{
		link:      link{hub: true, down: now},
		endpoint:  endpoint,
		serverKey: serverKey,
		instance:  routingTag + string(random),
		silence:   backoff.Backoff{Min: silentPings * pingInterval, Max: silenceMax},
	}
	h.silence.Next()
	return h
}

// address is the answer of a look-up.
type address struct {
	h        *hub
	endpoint string
	err      error
}

// up tells whether frames can be sent. link.down is another thing: it is zero
// from the first frame heard, so that a mere connection does not count.
func (h *hub) up() bool { return h.dealer != nil && h.connected }

// open looks for the hub's address and then connects.
func (g *Gossip) open(h *hub, now time.Time) {
	host, rebuild := hostName(h.endpoint)
	if host == "" {
		g.connectHub(h, h.endpoint, now)
		return
	}
	h.lookup = true
	g.wg.Go(func() {
		a := address{h: h}
		ips, err := g.lookup(g.lookups, "ip", host)
		if a.err = err; err == nil && len(ips) > 0 {
			a.endpoint = rebuild(pick(ips))
		}
		select {
		case g.addresses <- a:
		case <-g.quit:
		}
	})
}

// pick prefers IPv4, which every hub has.
func pick(ips []netip.Addr) netip.Addr {
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap()
		}
	}
	return ips[0]
}

// hostName gives the name in a tcp endpoint that must be resolved, empty if
// none, and what puts an address in its place.
func hostName(endpoint string) (host string, rebuild func(netip.Addr) string) {
	rest, ok := strings.CutPrefix(endpoint, "tcp://")
	if !ok {
		return "", nil
	}
	source := ""
	if i := strings.LastIndexByte(rest, ';'); i >= 0 {
		source, rest = rest[:i+1], rest[i+1:]
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil || host == "" {
		return "", nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", nil
	}
	return host, func(ip netip.Addr) string {
		return "tcp://" + source + net.JoinHostPort(ip.String(), port)
	}
}

func (g *Gossip) onAddress(a address, now time.Time) {
	a.h.lookup = false
	if a.endpoint == "" {
		g.log.Debug("gossip hub has no address", "endpoint", a.h.endpoint, "err", a.err)
		a.h.retry = now.Add(retryGap)
		return
	}
	g.connectHub(a.h, a.endpoint, now)
}

// connectHub makes the DEALER and, except for inproc, a monitor for it.
func (g *Gossip) connectHub(h *hub, endpoint string, now time.Time) {
	inproc := strings.HasPrefix(endpoint, "inproc://")
	g.sockets++
	id := binary.BigEndian.AppendUint32([]byte(h.instance), g.sockets)
	err := g.openDealer(h, endpoint, id, inproc)
	if err != nil {
		g.closeHub(h, 0)
		g.log.Debug("gossip hub not connected", "endpoint", h.endpoint, "err", err)
		h.retry = now.Add(retryGap)
		return
	}
	h.since, h.lastPing = now, time.Time{}
	if inproc {
		g.hubUp(h, now)
	}
}

func (g *Gossip) openDealer(h *hub, endpoint string, id []byte, inproc bool) (err error) {
	h.dealer, err = newSource(g.ctx, zmq.DEALER, g.wake, func(soc *zmq.Socket) error {
		err := errors.Join(
			soc.SetIdentity(string(id)),
			soc.SetMaxmsgsize(maxFrame),
			soc.SetIpv6(strings.Contains(endpoint, "[")),
			soc.SetReconnectIvl(100*time.Millisecond),
			soc.SetReconnectIvlMax(time.Second),
			soc.SetConnectTimeout(5*time.Second),
			soc.SetImmediate(!inproc), // nothing is queued for a hub that is away
		)
		if h.serverKey != "" {
			err = errors.Join(err,
				soc.SetCurveServerkey(h.serverKey),
				soc.SetCurvePublickey(g.clientPublic),
				soc.SetCurveSecretkey(g.clientSecret))
		}
		return err
	})
	if err != nil {
		return err
	}
	if !inproc {
		events := fmt.Sprintf("inproc://zgossip-%x", id)
		if err := h.dealer.soc.Monitor(events, reached()|zmq.EVENT_DISCONNECTED); err != nil {
			return err
		}
		h.monitor, err = newSource(g.ctx, zmq.PAIR, g.wake, func(soc *zmq.Socket) error {
			return soc.Connect(events)
		})
		if err != nil {
			return err
		}
	}
	return h.dealer.soc.Connect(endpoint)
}

// reached is the event that a hub is there. Libzmq 4.2 knows none for the end of the
// handshake: a HELLO that comes too early is not taken, and said again.
func reached() zmq.Event {
	if major, minor, _ := zmq.Version(); major == 4 && minor < 3 {
		return zmq.EVENT_CONNECTED
	}
	return zmq.EVENT_HANDSHAKE_SUCCEEDED
}

// closeHub closes the sockets of h.
func (g *Gossip) closeHub(h *hub, linger time.Duration) {
	if h.monitor != nil {
		_ = h.dealer.soc.Monitor("", 0)
		_ = h.monitor.close(0)
		h.monitor = nil
	}
	if h.dealer != nil {
		_ = h.dealer.close(linger)
		h.dealer = nil
	}
}

func (g *Gossip) hubUp(h *hub, now time.Time) {
	h.connected, h.heard = true, now
	h.needHello, h.blocked = true, false
	g.sayHello(h, now)
}

func (g *Gossip) hubDown(h *hub, now time.Time) {
	h.connected, h.since = false, now
	if h.down.IsZero() {
		h.down = now
		g.log.Debug("gossip hub lost", "endpoint", h.endpoint)
	}
}

// sayHello starts over with a hub: it will tell, and be told, everything.
func (g *Gossip) sayHello(h *hub, now time.Time) {
	if !h.needHello || !h.up() || now.Sub(h.lastHello) < helloGap {
		return
	}
	g.buf = appendHead(g.buf[:0], idHello)
	if h.dealer.send(g.buf) != nil {
		return // the next tick tries again
	}
	h.needHello, h.blocked = false, false
	h.lastHello = now
	h.sent = 0
	h.epoch++
	h.resync = now.Add(resyncGrace)
	g.stats.Hellos++
}

// readMonitor follows the connection of h.
func (g *Gossip) readMonitor(h *hub, now time.Time) {
	for h.monitor != nil && h.monitor.pending() {
		event, _, _, err := h.monitor.soc.RecvEvent(zmq.DONTWAIT)
		if err != nil {
			g.readEnd(h.monitor, err)
			return
		}
		switch event {
		case reached():
			g.hubUp(h, now)
		case zmq.EVENT_DISCONNECTED:
			g.hubDown(h, now)
		}
	}
}

// readHub takes up to budget messages from h.
func (g *Gossip) readHub(h *hub, now time.Time, budget int) {
	for range budget {
		var parts [1][]byte
		n, err := h.dealer.recv(parts[:])
		if err != nil {
			g.readEnd(h.dealer, err)
			return
		}
		var m msg
		if n != 1 || m.parse(parts[0]) != nil {
			g.stats.Malformed++
			continue
		}
		h.heard, h.down = now, time.Time{}
		h.silence.Reset()
		h.silence.Next()
		h.lost, h.asked = false, false
		switch m.id {
		case idPublish:
			g.learn(&h.link, &m, now)
		case idInvalid:
			g.stats.Invalids++
			h.needHello = true
			g.sayHello(h, now)
		case idPong, idPing: // gyre's hub answers PING with PING
		default:
			g.stats.Unexpected++
		}
	}
}

// tickHub does what is due for h: connecting, HELLO, PING, giving up.
func (g *Gossip) tickHub(h *hub, now time.Time) {
	h.blocked = false
	if !h.down.IsZero() {
		g.tickAbsent(h, now)
	}
	if h.dealer == nil {
		if !h.lookup && !h.retry.After(now) {
			g.open(h, now)
		}
		return
	}
	if !h.up() {
		// libzmq connects again by itself, but to the same address.
		if now.Sub(h.since) > silenceMax {
			g.reopen(h, now)
		}
		return
	}
	if now.Sub(h.heard) > h.silence.Current() {
		g.hubDown(h, now)
		h.silence.Next()
		g.reopen(h, now)
		return
	}
	if now.Sub(h.lastPing) >= g.opts.PingInterval-time.Millisecond {
		g.ping(h, now)
	}
	g.sayHello(h, now) // does nothing if it was said
	if !h.resync.IsZero() && now.After(h.resync) {
		h.resync = time.Time{}
		g.table.lose(&h.link, true, now)
	}
}

func (g *Gossip) reopen(h *hub, now time.Time) {
	g.stats.Reconnects++
	g.closeHub(h, 0)
	g.open(h, now)
}

// tickAbsent looks after what a hub that is away has told.
func (g *Gossip) tickAbsent(h *hub, now time.Time) {
	away := now.Sub(h.down)
	if away > askAfter && !h.asked {
		h.asked = true
		g.askOthers(h)
	}
	if away > g.opts.HubTimeout && !h.lost {
		h.lost = true
		g.askOthers(h) // they may hold what it told on our word alone
		n := g.table.lose(&h.link, false, now)
		g.log.Debug("gossip hub given up", "endpoint", h.endpoint, "tuples", n)
	}
}

// askOthers exchanges all with the other hubs, if h has told anything.
func (g *Gossip) askOthers(h *hub) {
	for _, other := range g.hubs {
		if other != h && h.tuples > 0 {
			other.needHello = true
		}
	}
}

// ping keeps us known to h, and finds out if we are not.
func (g *Gossip) ping(h *hub, now time.Time) {
	late := !h.lastPing.IsZero() && now.Sub(h.lastPing) > forgetful
	h.lastPing = now
	h.pingsSent++
	t := g.table.probe(h.pingsSent / probeEvery)
	switch {
	case t == nil && late:
		h.needHello = true
	case t != nil && (late || h.pingsSent%probeEvery == 0):
		g.buf = appendPublish(g.buf[:0], t.key, t.value, 0)
		_ = h.dealer.send(g.buf) // repeated anyway
	}
	g.buf = appendHead(g.buf[:0], idPing)
	err := h.dealer.send(g.buf)
	switch {
	case err == nil:
		g.stats.Pings++
	case h.monitor == nil && again(err):
		// inproc: the hub has closed, and libzmq will not connect again.
		g.hubDown(h, now)
		g.reopen(h, now)
	}
}
