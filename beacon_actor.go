package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/netif"
)

// beaconActor is the state of a Beacon that its one goroutine owns.
type beaconActor struct {
	*Beacon
	port     int // 0 before CONFIGURE
	want     string
	interval time.Duration
	datagram []byte       // nil: silent
	on       []netif.Link // where it is announced; nil: on all links in use

	used       []*usedLink
	reason     string // why these links, as logged last
	sockets    []*beaconSocket
	broken     chan *beaconSocket // sockets that cannot be read any more
	nextScan   time.Time
	scanFailed bool
	host       netif.View // for a Beacon on the real network

	linksDirty bool // the node has yet to be told of the links
	pending    *Cmd // an answer that nobody has taken from Replies yet
	ownsLog    bool // no logger was given: VERBOSE makes one
}

// usedLink is a link with the times of its sends.
type usedLink struct {
	netif.Link
	joined bool
	sent   []byte          // the datagram of the last send, whether it failed or not; nil after SILENCE
	last   time.Time       // of the last send
	next   time.Time       // of the next one
	retry  backoff.Backoff // after sends that failed; reset by one that succeeds

	// whether what was sent comes back
	sends         int       // that succeeded
	firstAt       time.Time // the first of them
	heardBefore   uint64    // own datagrams heard until then
	silenceLogged bool
}

// run is the actor. It answers commands, sends when it is time to, and never
// waits for anything else: not for Replies or Signals to be taken, nor for the
// network.
func (a *beaconActor) run() {
	defer close(a.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		a.tick(now)
		timer.Reset(a.untilNext(now))

		// A nil channel is one that select passes over.
		cmds, replies := a.Cmds, a.Replies
		if a.pending != nil {
			cmds = nil
		} else {
			replies = nil
		}
		var linkChanges chan []netif.Link
		var links []netif.Link
		if a.linksDirty {
			linkChanges, links = a.linkChanges, a.currentLinks()
		}

		select {
		case <-a.quit:
			a.shutdown()
			return
		case call := <-a.calls:
			a.answer(call)
		case cmd, ok := <-cmds:
			if !ok { // closed by its owner: no more commands can come
				a.stop()
				continue
			}
			a.pending = a.execute(cmd)
		case replies <- a.pending:
			a.pending = nil
		case linkChanges <- links:
			a.linksDirty = false
		case b := <-a.broadcasts:
			a.broadcast(b)
		case s := <-a.broken:
			a.closeSocket(s)
		case <-timer.C:
		}
	}
}

// shutdown closes what was opened, in the order that lets each part end: the
// readers first, who are the other senders to Signals.
func (a *beaconActor) shutdown() {
	a.stop()
	for _, s := range a.sockets {
		s.close()
	}
	a.readers.Wait()
	a.host.Close()
	if a.pending != nil {
		select {
		case a.Replies <- a.pending:
		default:
		}
	}
	close(a.Replies)
	close(a.Signals)
}

func (a *beaconActor) answer(call beaconCall) {
	if call.cmd != nil {
		call.reply <- a.execute(call.cmd)
		return
	}
	a.sendGoodbye(call.goodbye)
	call.reply <- &Cmd{}
}

// execute does a command and makes its answer.
func (a *beaconActor) execute(req *Cmd) *Cmd {
	if req == nil {
		return &Cmd{Err: errors.New("zyre: no beacon command")}
	}
	reply := &Cmd{ID: req.ID}
	switch req.ID {
	case "CONFIGURE":
		if port, err := payload[int](req); err != nil {
			reply.Err = err
		} else if reply.Err = a.configure(port); reply.Err == nil {
			reply.Payload = a.address()
		}
	case "INTERFACE":
		want, err := payload[string](req)
		if err == nil {
			err = a.setInterface(want)
		}
		reply.Err = err
	case "INTERVAL":
		interval, err := payload[time.Duration](req)
		if err == nil {
			err = a.setInterval(interval)
		}
		reply.Err = err
	case "PUBLISH":
		datagram, err := payload[[]byte](req)
		if err == nil {
			err = a.publish(datagram, nil)
		}
		reply.Err = err
	case "SILENCE":
		a.silence()
	case "SUBSCRIBE":
		reply.Err = a.subscribe(req)
	case "UNSUBSCRIBE":
		a.filter.Store(nil)
	case "VERBOSE":
		reply.Err = a.setVerbose(req)
	case "$TERM":
		a.stop()
	default:
		reply.Err = fmt.Errorf("zyre: unknown beacon command %q", req.ID)
	}
	return reply
}

// payload gives the payload of a command if it has the right type.
func payload[T any](req *Cmd) (T, error) {
	p, ok := req.Payload.(T)
	if !ok {
		return p, fmt.Errorf("zyre: beacon command %s: payload is %T, not %T", req.ID, req.Payload, p)
	}
	return p, nil
}

// configure opens the port, and closes the one that was open before. After an
// error the Beacon is as before CONFIGURE.
func (a *beaconActor) configure(port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("zyre: beacon command CONFIGURE: no such port: %d", port)
	}
	a.unconfigure()
	chosen, err := a.choose()
	if err != nil {
		return err
	}
	a.port = port
	if err := a.use(chosen, time.Now()); err != nil {
		a.unconfigure()
		return err
	}
	a.linksDirty = a.tellLinks
	return nil
}

func (a *beaconActor) unconfigure() {
	for _, s := range slices.Clone(a.sockets) {
		a.closeSocket(s)
	}
	a.port, a.used, a.reason = 0, nil, ""
	a.links.Store(nil)
	a.chosen.Store(nil)
}

func (a *beaconActor) setInterface(want string) error {
	before := a.want
	a.want = want
	if a.port == 0 {
		return nil
	}
	chosen, err := a.choose()
	if err == nil {
		err = a.use(chosen, time.Now())
	}
	if err != nil {
		a.want = before
		a.nextScan = time.Time{} // go back at once
	}
	return err
}

func (a *beaconActor) setInterval(interval time.Duration) error {
	if interval < beaconMinInterval {
		return fmt.Errorf("zyre: beacon command INTERVAL: %v is less than %v", interval, beaconMinInterval)
	}
	a.interval = interval
	for _, l := range a.used {
		if l.retry.Current() == 0 && !l.last.IsZero() {
			l.next = l.last.Add(interval)
		}
	}
	return nil
}

// broadcast announces what a node wants.
func (a *beaconActor) broadcast(b broadcast) {
	if b.datagram == nil {
		a.silence()
		return
	}
	_ = a.publish(b.datagram, b.on) // a node's beacon has the right size
}

// publish announces a datagram on links; nil is all. What a link announces already goes out when
// it would have anyway: who publishes again and again neither shortens the interval nor the
// pause after a failure.
func (a *beaconActor) publish(datagram []byte, on []netif.Link) error {
	if len(datagram) == 0 || len(datagram) > beaconMaxSize {
		return fmt.Errorf("zyre: beacon command PUBLISH: %d bytes, not 1 to %d", len(datagram), beaconMaxSize)
	}
	a.on = on
	if !bytes.Equal(a.datagram, datagram) {
		a.setDatagram(slices.Clone(datagram))
	}
	for _, l := range a.used {
		if !bytes.Equal(l.sent, datagram) {
			l.next = time.Time{}
		}
	}
	return nil
}

// announces reports whether the datagram is announced on a link.
func (a *beaconActor) announces(u *usedLink) bool {
	return a.datagram != nil && (a.on == nil || slices.Contains(a.on, u.Link))
}

// silence announces nothing, until the next datagram is published, which then goes out at once.
func (a *beaconActor) silence() {
	if a.datagram != nil {
		a.setDatagram(nil)
	}
	for _, l := range a.used {
		l.sent = nil
	}
}

// setDatagram changes what is announced; nil is silence.
func (a *beaconActor) setDatagram(datagram []byte) {
	own := &ownDatagrams{current: datagram, until: time.Now().Add(time.Second)}
	if before := a.own.Load(); before != nil {
		own.earlier = before.earlier
	}
	if a.datagram != nil {
		own.earlier = [2][]byte{a.datagram, own.earlier[0]}
	}
	a.own.Store(own)
	a.datagram = datagram
}

func (a *beaconActor) subscribe(req *Cmd) error {
	switch filter := req.Payload.(type) {
	case []byte:
		filter = slices.Clone(filter)
		a.filter.Store(&filter)
	case string:
		prefix := []byte(filter)
		a.filter.Store(&prefix)
	default:
		_, err := payload[[]byte](req)
		return err
	}
	return nil
}

func (a *beaconActor) setVerbose(req *Cmd) error {
	verbose := true
	if req.Payload != nil {
		var err error
		if verbose, err = payload[bool](req); err != nil {
			return err
		}
	}
	switch {
	case !a.ownsLog:
	case verbose:
		a.log.Store(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	default:
		a.log.Store(slog.New(slog.DiscardHandler))
	}
	return nil
}

// address is that of the first link, or "".
func (a *beaconActor) address() string {
	if len(a.used) == 0 {
		return ""
	}
	return a.used[0].Addr.String()
}

func (a *beaconActor) currentLinks() []netif.Link {
	links := make([]netif.Link, 0, len(a.used))
	for _, l := range a.used {
		links = append(links, l.Link)
	}
	return links
}
