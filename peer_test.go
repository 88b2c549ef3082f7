package zyre_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

// from is the UUID of this side in the tests of Peer.
var from = []byte("0123456789abcdef")

// mailbox is a ROUTER where messages to a Peer arrive.
type mailbox struct {
	t        *testing.T
	soc      *zmq.Socket
	endpoint string
}

func newMailbox(t *testing.T, endpoint string) *mailbox {
	t.Helper()
	soc, err := zmq.NewSocket(zmq.ROUTER)
	if err == nil {
		err = errors.Join(soc.SetRcvtimeo(watch.Patience), soc.SetRouterHandover(true), soc.Bind(endpoint))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { soc.Close() })
	at, err := soc.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return &mailbox{t, soc, at}
}

// next receives a message.
func (m *mailbox) next() *zyre.ZreMsg {
	m.t.Helper()
	msg, err := zyre.Recv(m.soc)
	if err != nil {
		m.t.Fatal(err)
	}
	return msg
}

func newWhisper(text string) *zyre.ZreMsg {
	m := zyre.NewZreMsg(zyre.WhisperID)
	m.Content = []byte(text)
	return m
}

func TestPeer_talks(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://" + t.TempDir() + "/mailbox"} {
		t.Run(endpoint[:3], func(t *testing.T) {
			box := newMailbox(t, endpoint)
			p := zyre.NewPeer(t.Context(), strings.Repeat("ab", 16))
			defer p.Destroy()
			if want := strings.Repeat("AB", 16); p.Identity != want {
				t.Errorf("Identity = %q, want %q", p.Identity, want)
			}
			// Each connection counts from 1, whether it takes the place of another or not.
			for i, sender := range [][]byte{from, append([]byte{1}, from...), from} {
				if err := p.Connect(sender, box.endpoint); err != nil {
					t.Fatalf("Connect() = %v, want nil", err)
				}
				receiver := zyre.NewPeer(context.Background(), "")
				hello := zyre.NewZreMsg(zyre.HelloID)
				hello.Endpoint, hello.Name = "tcp://127.0.0.1:1", "peer"
				for _, m := range []*zyre.ZreMsg{hello, newWhisper("one"), newWhisper("two")} {
					if err := p.Send(m); err != nil {
						t.Fatalf("connection %d: Send() = %v, want nil", i, err)
					}
					got := box.next()
					if string(got.Content) != string(m.Content) || got.Name != m.Name {
						t.Errorf("connection %d: received %+v, want %+v", i, got, m)
					}
					if receiver.MessagesLost(got) {
						t.Errorf("connection %d: MessagesLost(%q) = true, want false", i, got.Content)
					}
				}
				if i == 1 {
					p.Disconnect()
				}
			}
		})
	}
}

// A peer is known at the other side by any routing id of 1 to 255 bytes; to one of 16 the
// byte 1 is added, for it is a UUID.
func TestPeer_routingIDs(t *testing.T) {
	box := newMailbox(t, "tcp://127.0.0.1:*")
	ids := map[string]string{"\x01" + string(from): "\x01" + string(from), "1" + string(from): "1" + string(from), "\x00zero": "\x00zero"}
	for length := range 255 {
		id := strings.Repeat("y", length+1)
		ids[id] = id
	}
	ids[string(from)], ids[strings.Repeat("y", 16)] = "\x01"+string(from), "\x01"+strings.Repeat("y", 16)
	for from, want := range ids {
		p := zyre.NewPeer(t.Context(), "")
		if err := errors.Join(p.Connect([]byte(from), box.endpoint), p.Send(newWhisper("x"))); err != nil {
			t.Errorf("Connect(%q), Send = %v, want nil", from, err)
		} else if id, err := box.soc.RecvMessage(0); err != nil || id[0] != want {
			t.Errorf("Connect(%q): received from %q, %v, want %q", from, id, err, want)
		}
		p.Destroy()
	}
}

func TestPeer_MessagesLost(t *testing.T) {
	box := newMailbox(t, "tcp://127.0.0.1:*")
	sender, receiver := zyre.NewPeer(t.Context(), ""), zyre.NewPeer(t.Context(), "")
	defer sender.Destroy()
	if err := sender.Connect(from, box.endpoint); err != nil {
		t.Fatal(err)
	}
	var sent []*zyre.ZreMsg
	for _, m := range []*zyre.ZreMsg{zyre.NewZreMsg(zyre.HelloID), newWhisper("2"), newWhisper("3"), newWhisper("4")} {
		if err := sender.Send(m); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, box.next())
	}
	for _, step := range []struct {
		msg  *zyre.ZreMsg
		lost bool
	}{
		{sent[0], false}, {sent[2], true}, {sent[1], false}, {sent[2], false}, {sent[2], true},
		{nil, false}, {sent[0], false}, {sent[3], true}, {sent[1], false},
	} {
		if lost := receiver.MessagesLost(step.msg); lost != step.lost {
			t.Errorf("MessagesLost(%+v) = %t, want %t", step.msg, lost, step.lost)
		}
	}
}

func TestPeer_Header(t *testing.T) {
	var never context.Context // nil, which is taken as one that is never cancelled
	p := zyre.NewPeer(never, "not a UUID")
	if p.Identity != "not a UUID" {
		t.Errorf("Identity = %q, want it as given", p.Identity)
	}
	p.Headers["role"], p.Headers["empty"] = "cook", ""
	for name, want := range map[string]string{"role": "cook true", "empty": " true", "none": " false"} {
		value, ok := p.Header(name)
		if got := fmt.Sprint(value, " ", ok); got != want {
			t.Errorf("Header(%q) = %s, want %s", name, got, want)
		}
	}
}

// What cannot be done is an error, and every method is harmless in every state.
func TestPeer_errors(t *testing.T) {
	box := newMailbox(t, "tcp://127.0.0.1:*")
	p := zyre.NewPeer(context.Background(), "")
	for state, reach := range map[string]func(){
		"new": func() {}, "disconnected": p.Disconnect, "destroyed": p.Destroy, "destroyed twice": p.Destroy,
	} {
		reach()
		for what, c := range map[string]struct{ got, want error }{
			"Send":                   {p.Send(newWhisper("x")), zyre.ErrNotRunning},
			"Send(nil)":              {p.Send(nil), zyre.ErrInvalid},
			"Connect from nobody":    {p.Connect(nil, box.endpoint), zyre.ErrInvalid},
			"Connect from 256 bytes": {p.Connect([]byte(strings.Repeat("x", 256)), box.endpoint), zyre.ErrInvalid},
		} {
			var e *zyre.Error
			if !errors.Is(c.got, c.want) || !errors.As(c.got, &e) {
				t.Errorf("%s: %s = %v, want %v", state, what, c.got, c.want)
			}
		}
		if err := p.Connect(from, "nonsense"); err == nil {
			t.Errorf("%s: Connect to nonsense = nil, want an error", state)
		}
		p.Refresh()
		p.Disconnect()
	}
	if err := p.Connect(from, box.endpoint); err != nil {
		t.Fatal(err)
	}
	defer p.Destroy()
	long := zyre.NewZreMsg(zyre.ShoutID)
	long.Group = strings.Repeat("x", 256)
	if err := p.Send(long); err == nil {
		t.Error("Send(a group of 256 bytes) = nil, want an error")
	}
	if err := p.Send(newWhisper("first")); err != nil {
		t.Errorf("Send() = %v, want nil", err)
	}
	hello := zyre.NewPeer(context.Background(), "")
	if got := box.next(); string(got.Content) != "first" || hello.MessagesLost(got) {
		t.Errorf("received %q, want first under number 1: what was refused has spent none", got.Content)
	}
}

// A peer takes what it has room for, never waits, and spends no number on what it refuses.
func TestPeer_pushedBack(t *testing.T) {
	p := zyre.NewPeer(t.Context(), "")
	defer p.Destroy()
	nobody := fmt.Sprint("tcp://127.0.0.1:", kit.QuietTCPPort(t))
	if err := p.Connect(from, nobody); err != nil {
		t.Fatal(err)
	}
	for sent := 0; ; sent++ {
		err := p.Send(newWhisper("x"))
		if errors.Is(err, zyre.ErrPushedBack) {
			return
		}
		if err != nil || sent > 1_000_000 {
			t.Fatalf("Send() no. %d = %v, want ErrPushedBack at some time", sent, err)
		}
	}
}

// Cancelling the context destroys the peer, also if that was done before.
func TestPeer_cancelled(t *testing.T) {
	box := newMailbox(t, "tcp://127.0.0.1:*")
	first := zyre.NewPeer(context.Background(), "")
	if err := errors.Join(first.Connect(from, box.endpoint), first.Send(newWhisper("x"))); err != nil {
		t.Fatal(err)
	}
	box.next() // libzmq's threads have started, and have their names
	first.Destroy()
	leak.Check(t)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		p := zyre.NewPeer(cancelled, "")
		p.Refresh()
		p.Destroy()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := zyre.NewPeer(ctx, "")
	if err := p.Connect(from, box.endpoint); err != nil {
		t.Fatal(err)
	}
	cancel()
	watch.Until(t, "the peer is destroyed", func() bool {
		return errors.Is(p.Send(newWhisper("x")), zyre.ErrNotRunning)
	})
}

// Any number of goroutines may use a Peer at once.
func TestPeer_concurrent(t *testing.T) {
	box := newMailbox(t, "tcp://127.0.0.1:*")
	ctx, cancel := context.WithCancel(context.Background())
	p := zyre.NewPeer(ctx, "")
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 50 {
				if err := p.Connect(from, box.endpoint); err != nil {
					t.Errorf("Connect() = %v, want nil", err)
				}
				_ = p.Send(newWhisper("x")) // another may have disconnected it
				p.Refresh()
				_, _ = p.Header("x")
				p.MessagesLost(newWhisper("x"))
				p.Disconnect()
			}
		})
	}
	users.Wait()
	cancel()
	p.Destroy()
}
