package zgossip

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/transport"
)

const (
	// minHelloGap is the least time between two HELLOs to one hub: a hub that answers each
	// with INVALID must not make a loop.
	minHelloGap = 250 * time.Millisecond
	// With every third PING a tuple of ours is published again. A hub that has forgotten
	// us answers this with INVALID, but not a PING.
	repeatEvery = 3
	// A hub that is silent for the time of silentPings PINGs gets a new connection. If it
	// stays silent it gets the next one after twice that time, and so on up to maxSilence.
	silentPings = 6
	maxSilence  = 30 * time.Second
	// resyncAfter is how long a hub may be lost before all tuples are exchanged again with
	// the other hubs.
	resyncAfter = 5 * time.Second
	// nameRetry is how long a hub with a host name may have no connection before the name
	// is looked up again: it may have another address now.
	nameRetry = 3 * time.Second
	// warnAfter is how long a hub may not answer before that is a warning.
	warnAfter = 10 * time.Second
	// retryInterval is the time after which a look-up or a socket that failed is tried
	// again.
	retryInterval = time.Second
	// maxPingGap is the time between two PINGs after which CZMQ's hub, which allows one
	// second, may have forgotten us.
	maxPingGap = 900 * time.Millisecond
)

// hub is a hub that we are a client of. The instance of its link is our routing id for it
// without the last four bytes. Its DEALER is replaced when the hub is silent.
// That helps against inproc hubs that are bound again, addresses that changed,
// half-open connections, and a ROUTER that still holds our routing id.
type hub struct {
	link
	endpoint  string // as given to Connect
	serverKey string

	dealer    Dealer // nil while there is no address or socket
	connected bool   // the dealer has a connection

	at           string    // the address that the dealer connects to
	turn         int       // which address of the host name is to be tried
	lookedUpAt   time.Time // when the host name was looked up
	resolving    bool      // the host name is being looked up
	retryAt      time.Time // when to try again, if there is no dealer and no look-up
	waitingSince time.Time // when the dealer was made, or lost its connection

	needHello    bool // HELLO has to be sent
	lastHello    time.Time
	lastPing     time.Time
	pingsSent    int
	silenceLimit backoff.Backoff // Current is the silence after which the dealer is replaced

	state HubState

	warned         bool // that it does not answer
	ownedDropped   bool // the tuples that the hub owned were taken back after it was lost
	othersResynced bool // the other hubs were asked for all tuples after it was lost
}

// newHub makes a hub that is not connected yet. It has an instance of its own: two
// endpoints may lead to one hub, which must see two clients then.
func newHub(endpoint, serverKey string, pingInterval time.Duration, now time.Time) *hub {
	random := make([]byte, instanceLen-len(routingTag))
	rand.Read(random)
	h := &hub{
		link:         link{hub: true, address: endpoint, downSince: now, instance: routingTag + string(random)},
		endpoint:     endpoint,
		serverKey:    serverKey,
		silenceLimit: backoff.Backoff{Min: silentPings * pingInterval, Max: maxSilence},
		state:        HubState{Endpoint: endpoint, LastError: notTried},
	}
	h.silenceLimit.Next()
	return h
}

// canSend reports whether frames can be sent. The hub may be down nevertheless:
// downSince is zero only when a frame has come from it.
func (h *hub) canSend() bool { return h.dealer != nil && h.connected }

// hasName reports whether the endpoint has a host name.
func (h *hub) hasName() bool {
	_, target := splitSource(h.endpoint)
	return errors.Is(transport.CheckEndpoint(target), transport.ErrNeedsLookup)
}

// open connects to h, after its host name was looked up if it has one.
func (g *Gossip) open(h *hub, now time.Time) {
	if !h.hasName() {
		g.connectHub(h, h.endpoint, now)
		return
	}
	g.lookUp(h, now)
}

// lookUp looks up the host name of h.
func (g *Gossip) lookUp(h *hub, now time.Time) {
	_, target := splitSource(h.endpoint)
	h.resolving, h.lookedUpAt = g.resolver.Start(target), now
	if !h.resolving {
		h.retryAt = now.Add(retryInterval)
	}
}

// onResolved connects to the hubs for which a host name was looked up. A dealer that is
// trying the right address already is left to it.
func (g *Gossip) onResolved(r transport.Resolved, now time.Time) {
	for _, h := range g.hubs {
		source, target := splitSource(h.endpoint)
		if !h.resolving || target != r.Endpoint {
			continue
		}
		h.resolving = false
		if len(r.Numeric) == 0 {
			g.log.Debug("gossip hub has no address", "endpoint", h.endpoint, "err", r.Err)
			h.state.failed(fmt.Sprintf("the host name has no address: %v", r.Err))
			h.retryAt = now.Add(retryInterval)
			continue
		}
		addresses := ipv4First(r.Numeric)
		at := withSource(source, addresses[h.turn%len(addresses)])
		if h.dealer != nil && (h.connected || h.at == at) {
			continue
		}
		g.closeHub(h, 0)
		g.connectHub(h, at, now)
	}
}

// connectHub makes the DEALER.
func (g *Gossip) connectHub(h *hub, endpoint string, now time.Time) {
	g.dealers++
	dealer, err := g.sockets.Dealer(DealerOptions{
		Endpoint: endpoint, Identity: binary.BigEndian.AppendUint32([]byte(h.instance), g.dealers),
		ServerKey: h.serverKey, PublicKey: g.clientPublic, SecretKey: g.clientSecret,
	}, g.wake)
	if err != nil {
		g.log.Debug("gossip hub not connected", "endpoint", h.endpoint, "err", err)
		h.state.failed(err.Error())
		h.retryAt = now.Add(retryInterval)
		return
	}
	h.dealer = dealer
	h.at, h.waitingSince, h.lastPing = endpoint, now, time.Time{}
	h.state.Address = endpoint
	if !dealer.TellsEvents() {
		g.onHubConnected(h, now)
	}
}

// ConnectedEvent is the event after which frames can be sent to a hub. libzmq 4.2 has none
// for the end of the handshake. There a HELLO may come too early: it is not taken then,
// and sent again.
func ConnectedEvent() zmq.Event {
	if major, minor, _ := zmq.Version(); major == 4 && minor < 3 {
		return zmq.EVENT_CONNECTED
	}
	return zmq.EVENT_HANDSHAKE_SUCCEEDED
}

// closeHub closes the sockets of h.
func (g *Gossip) closeHub(h *hub, linger time.Duration) {
	if h.dealer != nil {
		_ = h.dealer.Close(linger)
		h.dealer, h.connected = nil, false
	}
}

// reopen replaces the sockets of h.
func (g *Gossip) reopen(h *hub, now time.Time) {
	g.stats.Reconnects++
	g.closeHub(h, 0)
	h.turn++
	g.open(h, now)
}

func (g *Gossip) onHubConnected(h *hub, now time.Time) {
	h.connected, h.heard, h.sentAll = true, now, time.Time{}
	h.needHello, h.blocked = true, false
	g.sendHello(h, now)
}

func (g *Gossip) onHubLost(h *hub, now time.Time) {
	h.connected, h.waitingSince = false, now
	h.state.lost()
	if h.downSince.IsZero() {
		h.downSince = now
		g.log.Info("gossip hub lost", "endpoint", h.endpoint)
	}
}

// sendHello sends HELLO if it is needed and possible. After it we and the hub send each
// other all tuples again.
func (g *Gossip) sendHello(h *hub, now time.Time) {
	if !h.needHello || !h.canSend() || now.Sub(h.lastHello) < minHelloGap {
		return
	}
	g.buf = appendHead(g.buf[:0], idHello)
	if h.dealer.Send(g.buf) != nil {
		return // the next tick tries again
	}
	h.needHello, h.blocked = false, false
	h.lastHello = now
	h.sent = 0
	g.table.resync(&h.link)
	g.stats.Hellos++
}

// readEvents follows the connection of h.
func (g *Gossip) readEvents(h *hub, now time.Time) {
	for h.dealer != nil && h.dealer.MayHaveEvent() {
		event, err := h.dealer.Event()
		if err != nil {
			g.closeIfTerminated(err)
			return
		}
		switch event {
		case ConnectedEvent():
			g.onHubConnected(h, now)
		case zmq.EVENT_DISCONNECTED:
			g.onHubLost(h, now)
		default:
			h.state.onEvent(event)
		}
	}
}

// readHub reads up to limit messages from h.
func (g *Gossip) readHub(h *hub, now time.Time, limit int) {
	for range limit {
		var parts [1][]byte
		n, err := h.dealer.Receive(parts[:])
		if errors.Is(err, errPartial) {
			continue
		}
		if err != nil {
			g.onReceiveError(h.dealer, err)
			return
		}
		var m msg
		if n != 1 || m.parse(parts[0]) != nil {
			g.stats.Malformed++
			continue
		}
		g.onHubMessage(h, &m, now)
	}
}

func (g *Gossip) onHubMessage(h *hub, m *msg, now time.Time) {
	h.heard, h.downSince = now, time.Time{}
	h.state.answered(now)
	h.silenceLimit.Reset()
	h.silenceLimit.Next()
	h.ownedDropped, h.othersResynced, h.warned = false, false, false
	switch m.id {
	case idPublish:
		g.learn(&h.link, m, now)
	case idInvalid:
		g.stats.Invalids++
		h.needHello = true
		g.sendHello(h, now)
	case idPong, idPing: // gyre's hub answers PING with PING
	default:
		g.stats.Unexpected++
	}
}

// tickHub does what is due for h.
func (g *Gossip) tickHub(h *hub, now time.Time) {
	h.blocked = false
	if !h.downSince.IsZero() {
		g.tickLostHub(h, now)
	}
	if h.dealer == nil {
		if !h.resolving && !h.retryAt.After(now) {
			g.open(h, now)
		}
		return
	}
	if !h.canSend() {
		// libzmq connects again by itself, but to the same address.
		switch {
		case now.Sub(h.waitingSince) > maxSilence:
			g.reopen(h, now)
		case h.hasName() && !h.resolving && now.Sub(h.waitingSince) > nameRetry && now.Sub(h.lookedUpAt) > nameRetry:
			h.turn++
			g.lookUp(h, now)
		}
		return
	}
	if now.Sub(h.heard) > h.silenceLimit.Current() {
		g.onHubLost(h, now)
		h.silenceLimit.Next()
		g.reopen(h, now)
		return
	}
	if now.Sub(h.lastPing) >= g.opts.PingInterval-time.Millisecond {
		g.ping(h, now)
	}
	g.resyncIfDue(h, now)
	g.sendHello(h, now)
}

// resyncIfDue exchanges all tuples with h after a reflected value, and with the other hubs after h has
// forgotten tuples: they may own them because of us alone.
func (g *Gossip) resyncIfDue(h *hub, now time.Time) {
	if h.isToBeAsked(now) {
		h.askAt, h.needHello = time.Time{}, true
	}
	if h.forgot {
		g.resyncOtherHubs(h)
		h.forgot = false
	}
	g.refillIfDue(h, now)
}

// refillIfDue exchanges all tuples with h if some of it were not kept and there is room again, and
// with the other hubs after some gave way: they may own them because of us alone, and would not
// hear of their end.
func (g *Gossip) refillIfDue(h *hub, now time.Time) {
	if !h.isToBeRefilled(now) {
		return
	}
	if h.gaveWay {
		g.resyncOtherHubs(h)
		h.gaveWay, h.refillAt = false, now.Add(h.refillDelay.Next())
	}
	if g.table.hasRoom(&h.link) {
		h.refillAt, h.needHello = time.Time{}, true
	}
}

// tickLostHub decides what becomes of the tuples that a lost hub owns.
func (g *Gossip) tickLostHub(h *hub, now time.Time) {
	away := now.Sub(h.downSince)
	if away > warnAfter && !h.warned {
		h.warned = true
		g.log.Warn("a gossip hub does not answer",
			"endpoint", h.endpoint, "address", h.state.Address, "for", away.Round(time.Second), "err", h.state.LastError)
	}
	if away > resyncAfter && !h.othersResynced {
		h.othersResynced = true
		g.resyncOtherHubs(h)
	}
	if away > g.opts.HubTimeout && !h.ownedDropped {
		h.ownedDropped = true
		g.resyncOtherHubs(h) // they may own some of its tuples because of us alone
		n := g.table.dropOwned(&h.link, now)
		g.log.Info("gossip hub given up", "endpoint", h.endpoint, "tuples", n)
	}
}

// resyncOtherHubs exchanges all tuples with the hubs other than h, if h owns any, has
// forgotten some, or some of it gave way.
func (g *Gossip) resyncOtherHubs(h *hub) {
	for _, other := range g.hubs {
		if other != h && (h.owned > 0 || h.forgot || h.gaveWay) {
			other.needHello = true
		}
	}
}

// ping sends PING to h, so that h does not forget us, and finds out whether it has.
func (g *Gossip) ping(h *hub, now time.Time) {
	late := !h.lastPing.IsZero() && now.Sub(h.lastPing) > maxPingGap
	h.lastPing = now
	h.pingsSent++
	t := g.table.oursInTurn(h.pingsSent / repeatEvery)
	switch {
	case t == nil && late:
		h.needHello = true
	case t != nil && (late || h.pingsSent%repeatEvery == 0):
		g.buf = appendPublish(g.buf[:0], t.key, t.value, 0)
		_ = h.dealer.Send(g.buf) // if it is not taken, the next one may be
	}
	g.buf = appendHead(g.buf[:0], idPing)
	err := h.dealer.Send(g.buf)
	switch {
	case err == nil:
		g.stats.Pings++
	case !h.dealer.TellsEvents() && isAgain(err):
		// The hub has closed its inproc socket, and libzmq does not connect again.
		g.onHubLost(h, now)
		g.reopen(h, now)
	}
}
