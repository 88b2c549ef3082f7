package foreignnet

import (
	"errors"
	"fmt"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/zmqwait"
)

// run owns all sockets but that of UDP, from their making to their closing.
func (p *Peer) run(started chan<- error) {
	defer close(p.done)
	err := p.open()
	started <- err
	for err == nil {
		if p.runCommands() {
			break
		}
		until := time.Time{}
		if !p.frozen {
			if err = p.receive(); err != nil {
				break
			}
			until = p.turn(time.Now())
		}
		err = p.waiter.Wait(p.readable, until)
	}
	p.err = errors.Join(err, p.shut())
}

// open makes the sockets and the model.
func (p *Peer) open() (err error) {
	if p.zmq, err = zmq.NewContext(); err != nil {
		return fmt.Errorf("foreignnet: make a context: %w", err)
	}
	handover := true
	if p.opts.Kind != "" {
		t, err := foreign.TraitsOf(p.opts.Kind)
		if err != nil {
			return err
		}
		handover = t.Handover
	}
	if p.router, err = p.zmq.NewSocket(zmq.ROUTER); err != nil {
		return fmt.Errorf("foreignnet: make a mailbox: %w", err)
	}
	err = errors.Join(p.router.SetLinger(0), p.router.SetIpv6(strings.Contains(p.opts.Host, "[")),
		p.router.SetRouterHandover(handover), p.router.Bind("tcp://"+p.opts.Host+":*"))
	if err == nil {
		p.endpoint, err = p.router.GetLastEndpoint()
	}
	p.endpoint = strings.TrimRight(p.endpoint, "\x00")
	if err != nil {
		return fmt.Errorf("foreignnet: bind a mailbox on %s: %w", p.opts.Host, err)
	}
	fd, err := p.router.GetFd()
	if err != nil {
		return fmt.Errorf("foreignnet: descriptor of a mailbox: %w", err)
	}
	waiter, err := zmqwait.New(uintptr(fd))
	if err != nil {
		return fmt.Errorf("foreignnet: %w", err)
	}
	p.mu.Lock()
	p.waiter = waiter
	p.mu.Unlock()
	if p.opts.UDPPort != 0 {
		if p.udp, err = openUDP(p.opts.Host, p.opts.Broadcast, p.opts.UDPPort, p.hear); err != nil {
			return err
		}
	}
	return p.makeModel()
}

func (p *Peer) makeModel() (err error) {
	if p.opts.Kind == "" {
		return nil
	}
	o := p.opts
	p.model, err = foreign.New(foreign.Config{
		Kind: o.Kind, UUID: o.UUID, Endpoint: p.endpoint, Name: o.Name, Headers: o.Headers,
		RoutingByte: o.RoutingByte, Gossip: o.Gossip, Evasive: o.Evasive, Expired: o.Expired,
	}, port{p})
	if err != nil {
		return err
	}
	for _, g := range o.Groups {
		p.model.Join(g)
	}
	p.beaconAt = time.Now()
	if !p.model.Traits().BeaconsAtOnce {
		p.beaconAt = p.beaconAt.Add(o.Interval)
	}
	return nil
}

// shut closes everything.
func (p *Peer) shut() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	var errs []error
	if p.udp != nil {
		errs = append(errs, p.udp.close())
	}
	for _, soc := range p.dealers {
		errs = append(errs, soc.Close())
	}
	for c := range p.conns {
		errs = append(errs, c.soc.Close())
	}
	if p.waiter != nil {
		errs = append(errs, p.waiter.Close())
	}
	if p.router != nil {
		errs = append(errs, p.router.Close())
	}
	if p.zmq != nil {
		errs = append(errs, p.zmq.Term())
	}
	return errors.Join(errs...)
}

// runCommands does what other goroutines have asked for, and reports whether to end.
func (p *Peer) runCommands() (end bool) {
	p.mu.Lock()
	commands := p.commands
	p.commands = nil
	end = p.closing
	p.mu.Unlock()
	for _, f := range commands {
		f()
	}
	return end
}

// readable is asked by the waiter before it parks.
func (p *Peer) readable() bool {
	if p.frozen || p.router == nil {
		return false
	}
	state, err := p.router.GetEvents()
	return err != nil || state&zmq.POLLIN != 0
}

// receive takes all messages from the mailbox.
func (p *Peer) receive() error {
	for p.router != nil {
		frames, err := p.router.RecvMessageBytes(zmq.DONTWAIT)
		if err != nil {
			return ignoreAgain(err)
		}
		if len(frames) < 2 {
			continue
		}
		r := Received{From: frames[0], Frames: frames[1:]}
		if r.Message, r.Err = foreign.Parse(r.Frames[0]); r.Err == nil {
			r.Message.Content = r.Frames[1:]
		}
		p.received.add(r)
		if p.model != nil {
			p.model.Message(time.Now(), r.From, r.Frames[0], r.Frames[1:])
		}
	}
	return nil
}

// turn does what is due, and returns when it is to be called again.
func (p *Peer) turn(now time.Time) time.Time {
	p.mu.Lock()
	datagrams := p.datagrams
	p.datagrams = nil
	p.mu.Unlock()
	if p.model == nil {
		return time.Time{}
	}
	for _, d := range datagrams {
		p.model.Datagram(now, d.host, d.data)
	}
	p.model.Tick(now)
	if p.udp == nil || p.opts.Quiet || p.model.HasCrashed() {
		return now.Add(tickInterval)
	}
	if !now.Before(p.beaconAt) {
		_ = p.announce() // as a datagram, it may be lost
		p.beaconAt = now.Add(p.opts.Interval)
	}
	if next := now.Add(tickInterval); next.Before(p.beaconAt) {
		return next
	}
	return p.beaconAt
}

func (p *Peer) announce() error {
	port, err := p.port()
	if err != nil {
		return err
	}
	return p.udp.send(foreign.AppendBeacon(nil, p.opts.UUID, port))
}

// heldDatagrams is how many datagrams wait for a peer that is frozen, as a kernel
// would hold some.
const heldDatagrams = 256

// hear keeps a datagram for run, and where it says that a node is.
func (p *Peer) hear(d datagram) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if uuid, endpoint, ok := foreign.ParseBeacon(d.host, d.data); ok && endpoint != p.at[uuid] {
		p.at[uuid] = endpoint
		p.sights.add(Sighting{uuid, endpoint})
	}
	if p.waiter != nil && len(p.datagrams) < heldDatagrams {
		p.datagrams = append(p.datagrams, d)
		p.waiter.Wake()
	}
}

// port gives the model its connections.
type port struct{ p *Peer }

func (o port) Dial(peer [16]byte, endpoint string) error {
	soc, err := o.p.dial(endpoint, ConnOptions{noReconnect: !o.p.model.Traits().Reconnects})
	if err == nil {
		o.p.dealers[peer] = soc
	}
	return err
}

func (o port) Send(peer [16]byte, header []byte, frames [][]byte) {
	_ = sendFrames(o.p.dealers[peer], append([][]byte{header}, frames...)) // without a limit it does not fail
}

func (o port) Close(peer [16]byte) {
	soc := o.p.dealers[peer]
	delete(o.p.dealers, peer)
	_ = soc.SetLinger(o.p.linger)
	_ = soc.Close()
}

func (o port) Event(e foreign.Event) { o.p.events.add(e) }
