package zgossip

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqmsg"
)

func TestGossip_curve(t *testing.T) {
	ctx := newContext(t)
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		t.Fatal(err)
	}
	o := quick()
	o.PublicKey, o.SecretKey = public, secret
	hub := newMember(t, ctx, o)
	at := hub.bind("tcp://127.0.0.1:*")
	a, plain := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	plain.publish("plain", "1")
	plain.connect(at)
	a.publish("a", "1")
	if err := a.Connect(at, public); err != nil {
		t.Fatal(err)
	}
	hub.has("a=1")
	if n := plain.Stats().Hubs; n != 0 {
		t.Errorf("Stats().Hubs without keys = %d, want 0", n)
	}
}

// An ipc endpoint in use is refused, instead of taken over.
func TestGossip_Bind_ipcInUse(t *testing.T) {
	ctx := newContext(t)
	at := "ipc://" + filepath.Join(t.TempDir(), "hub")
	hub := newMember(t, ctx, quick())
	hub.bind(at)
	if bound, err := newMember(t, ctx, quick()).Bind(at); !errors.Is(err, zmq.EADDRINUSE) {
		t.Errorf("Bind(%s) of a second hub = %q, %v, want %v", at, bound, err, zmq.EADDRINUSE)
	}
	client := newMember(t, ctx, quick())
	client.connect(at)
	client.publish("a", "1")
	hub.has("a=1")
}

// end is the end of a connection between a Router and a Dealer.
type end struct {
	t    *testing.T
	soc  Polled
	wake chan struct{}
}

// until calls try until it does not say EAGAIN, each time that the socket may have something.
func (e end) until(what string, try func() error) {
	e.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if !isAgain(err) {
			e.t.Fatalf("%s: %v", what, err)
		}
		e.soc.SetDrained()
		if e.soc.MayHaveInput() {
			continue
		}
		select {
		case <-e.wake:
		case <-limit.C:
			e.t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// A Router and a Dealer talk over each transport, and tell of each other what the transport
// knows. After Close the endpoint is free.
func TestZmqSockets(t *testing.T) {
	for name, endpoint := range hubEndpoints(t) {
		t.Run(name, func(t *testing.T) {
			sockets := zmqSockets{newContext(t)}
			newRouter := func() (Router, end) {
				wake := make(chan struct{}, 1)
				r, err := sockets.Router(&Options{}, wake)
				if err != nil {
					t.Fatal(err)
				}
				return r, end{t, r, wake}
			}
			router, hub := newRouter()
			bound, err := router.Bind(endpoint)
			if err != nil {
				t.Fatal(err)
			}
			wake := make(chan struct{}, 1)
			dealer, err := sockets.Dealer(DealerOptions{Endpoint: bound, Identity: []byte("me")}, wake)
			if err != nil {
				t.Fatal(err)
			}
			client := end{t, dealer, wake}
			if got := dealer.TellsEvents(); got != (name != "inproc") {
				t.Errorf("TellsEvents() = %t, want it but for inproc", got)
			}
			awaitEvent := func(want zmq.Event) {
				t.Helper()
				for got := zmq.Event(0); dealer.TellsEvents() && got != want; {
					client.until(fmt.Sprint("event ", want), func() (err error) { got, err = dealer.Event(); return err })
				}
			}
			awaitEvent(ConnectedEvent())
			if err := dealer.Send([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			var parts [2][]byte
			var from Origin
			hub.until("message", func() (err error) { _, from, err = router.ReceiveFrom(parts[:]); return err })
			if got := fmt.Sprintf("%s", parts); got != "[me hello]" {
				t.Errorf("ReceiveFrom() = %s, want [me hello]", got)
			}
			if want := map[string]string{"tcp": "127.0.0.1"}[name]; from.Address != want || from.Key != "" || runtime.GOOS == "linux" && from.Conn.IsKnown() != (name == "tcp") {
				t.Errorf("ReceiveFrom() is from %+v, want address %q, no key, and its connection over tcp", from, want)
			}
			if err := router.SendTo([]byte("nobody"), []byte("x")); zmq.AsErrno(err) != zmq.EHOSTUNREACH {
				t.Errorf("SendTo(nobody) = %v, want %v", err, zmq.EHOSTUNREACH)
			}
			if err := router.SendTo([]byte("me"), []byte("welcome")); err != nil {
				t.Fatal(err)
			}
			client.until("answer", func() (err error) { _, err = dealer.Receive(parts[:]); return err })
			if string(parts[0]) != "welcome" {
				t.Errorf("Receive() = %s, want welcome", parts[0])
			}
			if err := router.Close(0); err != nil {
				t.Errorf("Close() of the router = %v, want nil", err)
			}
			awaitEvent(zmq.EVENT_DISCONNECTED)
			next, _ := newRouter()
			if _, err := next.Bind(bound); err != nil {
				t.Errorf("Bind(%s) after Close = %v, want nil", bound, err)
			}
			if err := errors.Join(dealer.Close(0), next.Close(0)); err != nil {
				t.Errorf("Close() = %v, want nil", err)
			}
		})
	}
}

// What zmqmsg says is told as libzmq would.
func TestErrnoOf(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct{ err, want error }{
		{zmqmsg.ErrAgain, zmq.Errno(syscall.EAGAIN)},
		{fmt.Errorf("receive: %w", zmq.ETERM), zmq.ETERM},
		{other, other},
	} {
		if got := errnoOf(c.err); got != c.want { //nolint:errorlint // callers compare with an Errno
			t.Errorf("errnoOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

// For a client that reads nothing little waits in the hub.
func TestZmqSockets_clientQueue(t *testing.T) {
	ctx := newContext(t)
	wake := make(chan struct{}, 1)
	router, err := zmqSockets{ctx}.Router(&Options{}, wake)
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close(0)
	if _, err := router.Bind("inproc://hub"); err != nil {
		t.Fatal(err)
	}
	const own = 1 // what waits at the client; over inproc both are one queue
	client := newRawFor(t, ctx, "inproc://hub", own)
	client.send([]byte("x"))
	var parts [2][]byte
	end{t, router, wake}.until("message", func() error { _, _, err := router.ReceiveFrom(parts[:]); return err })
	for n := range clientQueue + own + 1 {
		if err := router.SendTo(parts[0], []byte("x")); isAgain(err) != (n == clientQueue+own) {
			t.Fatalf("SendTo() after %d frames = %v, want %v after %d", n, err, syscall.EAGAIN, clientQueue+own)
		}
	}
}
