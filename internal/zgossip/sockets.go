package zgossip

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zmqmsg"
)

// clientQueue is how many frames wait in libzmq for each client. A client that reads nothing costs
// the hub that much, 45 KB; what it does not have yet is sent from the table when there is room. A
// client that reads gets all as soon as with libzmq's own 1,000; with 16 it takes longer.
const clientQueue = 32

// Sockets makes the sockets of a Gossip: those of ZeroMQ, or of a network in memory. Their
// errors are libzmq's.
type Sockets interface {
	// Router makes the socket of a hub. A slot of wake is filled when it may have something.
	Router(opts *Options, wake chan<- struct{}) (Router, error)
	// Dealer makes a socket that is connected to a hub, now or as soon as that is possible.
	Dealer(opts DealerOptions, wake chan<- struct{}) (Dealer, error)
}

// DealerOptions say which hub a Dealer connects to, and as whom.
type DealerOptions struct {
	Endpoint             string
	Identity             []byte
	ServerKey            string // the hub's CURVE key; empty for none
	PublicKey, SecretKey string // our own
}

// A Router is the socket of a hub, by which it talks with its clients.
type Router interface {
	Polled
	// Bind listens at an endpoint, and returns it with its port resolved.
	Bind(endpoint string) (bound string, err error)
	// ReceiveFrom reads one message of up to len(parts) frames, the first of which is the
	// routing id. n is the number of frames that it had, and from who has sent it. After
	// errPartial the next call goes on in the middle of the message.
	ReceiveFrom(parts [][]byte) (n int, from Origin, err error)
	// Guard returns the guard of the connections of clients; nil if they are not of the system.
	Guard() *transport.Guard
	// SendTo sends a frame to the client with a routing id.
	SendTo(id, frame []byte) error
	// Close unbinds the socket, which may go on sending for as long as linger says.
	Close(linger time.Duration) error
}

// Origin is who has sent a message.
type Origin struct {
	Key     string // its CURVE key, Z85; empty without CURVE
	Address string // the IP address of its host; empty over inproc and ipc

	Conn transport.Conn // the connection that brought it
}

// A Dealer is the socket of a client, by which it talks with one hub.
type Dealer interface {
	Polled
	// Receive reads one message as ReceiveFrom does.
	Receive(parts [][]byte) (n int, err error)
	// Look asks the system what has come: see transport.DialedGuard.
	Look()
	// Judge ends the connection if too much had come that was no message. It does nothing
	// while there is something to read.
	Judge() (ended bool)
	// Send sends a frame to the hub.
	Send(frame []byte) error
	// TellsEvents reports whether Event says what becomes of the connection. Otherwise
	// it counts as connected at once.
	TellsEvents() bool
	// MayHaveEvent reports whether Event is to be called.
	MayHaveEvent() bool
	// Event returns what has become of the connection, or EAGAIN.
	Event() (zmq.Event, error)
	// Close closes the socket, which may go on sending for as long as linger says.
	Close(linger time.Duration) error
}

// Polled is a socket whose owner is told when it may have something.
type Polled interface {
	// MayHaveInput reports whether the socket is to be read.
	MayHaveInput() bool
	// MayHaveRoom reports whether what did not go out is to be tried again.
	MayHaveRoom() bool
	// SetDrained notes that the socket was read to its end.
	SetDrained()
}

// zmqSockets makes sockets of ZeroMQ.
type zmqSockets struct{ ctx *zmq.Context }

type zmqRouter struct {
	*socket
	ctx      *zmq.Context
	messages *zmqmsg.Socket // of socket
	guard    *transport.Guard
	bound    []string
}

func (z zmqSockets) Router(opts *Options, wake chan<- struct{}) (Router, error) {
	s, err := openSocket(z.ctx, zmq.ROUTER, wake, func(soc *zmq.Socket) error {
		err := errors.Join(
			soc.SetSndhwm(clientQueue),
			soc.SetRouterMandatory(1),
			soc.SetRouterHandover(true),
			transport.SetListenLimits(soc, maxFrame),
			transport.SetKeepalive(soc),
			soc.SetTcpMaxrt(unconfirmedTime),
		)
		if opts.SecretKey != "" {
			err = errors.Join(err, soc.SetCurveServer(1), soc.SetCurveSecretkey(opts.SecretKey))
		}
		if opts.ZapDomain != "" {
			err = errors.Join(err, soc.SetZapDomain(opts.ZapDomain))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	secure := opts.SecretKey != ""
	r := &zmqRouter{socket: s, ctx: z.ctx, guard: transport.NewGuard(z.ctx, maxFrame, secure)}
	if r.messages, err = zmqmsg.Of(s.Socket, secure); err != nil {
		return nil, errors.Join(err, s.close(0))
	}
	r.messages.Addresses = true
	return r, nil
}

func (r *zmqRouter) Bind(endpoint string) (bound string, err error) {
	if bound, err = transport.Bind(r.Socket, endpoint, false); err == nil {
		r.bound = append(r.bound, bound)
		r.guard.Bound(bound)
	}
	return bound, err
}

func (r *zmqRouter) Guard() *transport.Guard { return r.guard }

func (r *zmqRouter) MayHaveInput() bool { return r.messages.Ready() || r.socket.MayHaveInput() }

func (r *zmqRouter) ReceiveFrom(parts [][]byte) (n int, from Origin, err error) {
	n, err = r.receive(parts, func(i int) (b []byte, more bool, err error) {
		if !r.messages.Ready() {
			if _, _, err := r.messages.Fill(false); err != nil {
				return nil, false, errnoOf(err)
			}
		}
		frame := r.messages.Next()
		switch {
		case i == 1:
			from = Origin{Key: frame.User, Address: ipAddress(frame.Address)}
			r.guard.Source(frame.Source, frame.Data, frame.Source == 0)
		case i > 1 && frame.Source > 0:
			r.guard.Source(frame.Source, nil, false)
		}
		if i > 0 {
			r.guard.Read(len(frame.Data))
			from.Conn = r.guard.Conn()
		}
		if i < len(parts) {
			b = bytes.Clone(frame.Data)
		}
		return b, frame.More, nil
	})
	return n, from, err
}

// ipAddress returns the IP address of the host that a message came from. Over ipc libzmq tells
// of the process instead, as localhost:UID:GID:PID: all of them are at one host.
func ipAddress(address string) string {
	if strings.HasPrefix(address, "localhost:") {
		return ""
	}
	return address
}

// errnoOf returns the error of libzmq that an error of zmqmsg stands for.
func errnoOf(err error) error {
	var errno zmq.Errno
	switch {
	case errors.Is(err, zmqmsg.ErrAgain):
		return zmq.Errno(syscall.EAGAIN)
	case errors.As(err, &errno):
		return errno
	}
	return err
}

func (r *zmqRouter) SendTo(id, frame []byte) error { return r.send(id, frame) }

func (r *zmqRouter) Close(linger time.Duration) error {
	// First, so that whoever binds the endpoints afterwards finds them free.
	err := transport.Unbind(r.ctx, r.Socket, r.bound...)
	r.messages.Free()
	r.guard.Close()
	return errors.Join(err, r.close(linger))
}

type zmqDealer struct {
	*socket
	monitor *socket // reports connections and disconnections; nil for inproc
	guard   transport.DialedGuard
}

func (z zmqSockets) Dealer(opts DealerOptions, wake chan<- struct{}) (Dealer, error) {
	inproc := strings.HasPrefix(opts.Endpoint, "inproc://")
	_, target := splitSource(opts.Endpoint)
	guard, err := transport.NewDialedGuard(target, opts.ServerKey != "")
	if err != nil {
		return nil, err
	}
	s, err := openSocket(z.ctx, zmq.DEALER, wake, func(soc *zmq.Socket) error {
		err := errors.Join(
			soc.SetIdentity(string(opts.Identity)),
			soc.SetMaxmsgsize(maxFrame),
			soc.SetIpv6(strings.Contains(opts.Endpoint, "[")),
			soc.SetReconnectIvl(100*time.Millisecond),
			soc.SetReconnectIvlMax(time.Second),
			soc.SetConnectTimeout(5*time.Second),
			soc.SetImmediate(!inproc), // nothing is queued for a hub that is not connected
			transport.SetKeepalive(soc),
		)
		if opts.ServerKey != "" {
			err = errors.Join(err,
				soc.SetCurveServerkey(opts.ServerKey),
				soc.SetCurvePublickey(opts.PublicKey),
				soc.SetCurveSecretkey(opts.SecretKey))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d := &zmqDealer{socket: s, guard: guard}
	if !inproc {
		err = d.watch(z.ctx, fmt.Sprintf("inproc://zgossip-%x", opts.Identity), wake)
	}
	if err == nil {
		err = d.Connect(opts.Endpoint)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(0))
	}
	return d, nil
}

// watch has the monitor tell of the connection.
func (d *zmqDealer) watch(ctx *zmq.Context, events string, wake chan<- struct{}) (err error) {
	if err = d.Monitor(events, ConnectedEvent()|zmq.EVENT_CONNECTED|zmq.EVENT_DISCONNECTED|failureEvents()); err != nil {
		return err
	}
	d.monitor, err = openSocket(ctx, zmq.PAIR, wake, func(soc *zmq.Socket) error {
		return soc.Connect(events)
	})
	return err
}

func (d *zmqDealer) Send(frame []byte) error { return d.send(frame) }

func (d *zmqDealer) Receive(parts [][]byte) (n int, err error) {
	n, err = d.receive(parts, func(int) (b []byte, more bool, err error) {
		if b, err = d.RecvBytes(zmq.DONTWAIT); err != nil {
			return nil, false, err
		}
		d.guard.Read(len(b))
		more, err = d.GetRcvmore()
		return b, more, err
	})
	return n, err
}

func (d *zmqDealer) Look() { d.guard.Look() }

func (d *zmqDealer) Judge() (ended bool) { return !d.MayHaveInput() && d.guard.Judge() }

func (d *zmqDealer) TellsEvents() bool { return d.monitor != nil }

func (d *zmqDealer) MayHaveEvent() bool { return d.monitor != nil && d.monitor.MayHaveInput() }

func (d *zmqDealer) Event() (zmq.Event, error) {
	event, _, value, err := d.monitor.RecvEvent(zmq.DONTWAIT)
	if event == zmq.EVENT_CONNECTED {
		d.guard.Connected(value)
	}
	if err != nil && (isAgain(err) || zmq.AsErrno(err) == zmq.ETERM) {
		d.monitor.SetDrained()
	}
	return event, err
}

func (d *zmqDealer) Close(linger time.Duration) error {
	var err error
	if d.monitor != nil {
		err = errors.Join(d.Monitor("", 0), d.monitor.close(0))
	}
	return errors.Join(err, d.close(linger))
}
