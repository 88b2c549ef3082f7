package transport_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// refusals passes on what a policy logs, as "attribute=value …".
type refusals struct {
	slog.Handler
	lines chan string
}

func newRefusals() *refusals {
	return &refusals{Handler: slog.DiscardHandler, lines: make(chan string, 1000)}
}

func (r *refusals) Enabled(context.Context, slog.Level) bool { return true }

func (r *refusals) Handle(_ context.Context, record slog.Record) error {
	var line []string
	record.Attrs(func(a slog.Attr) bool {
		line = append(line, a.String())
		return true
	})
	r.lines <- strings.Join(line, " ")
	return nil
}

func (r *refusals) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-r.lines:
		return line
	case <-time.After(patience):
		t.Fatal("nobody was refused")
		return ""
	}
}

// sendUnwelcome sends what is not to arrive. If the connection has been refused already,
// libzmq has no way left to send on, and says so.
func sendUnwelcome(t *testing.T, m transport.Mailbox, text string) {
	t.Helper()
	if err := m.Send(transporttest.WhisperHeader, [][]byte{[]byte(text)}); err != nil && !errors.Is(err, transport.ErrAgain) {
		t.Fatalf("Send(%q) = %v, want nil or %v", text, err, transport.ErrAgain)
	}
}

// TestZAP_policies runs two inboxes, one after the other, with one domain name and opposite
// policies.
func TestZAP_policies(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	annPublic, annSecret := transporttest.NewKeys(t)
	bobPublic, bobSecret := transporttest.NewKeys(t)
	ann := transport.DialOptions{Identity: []byte("\x01ann"), PublicKey: annPublic, SecretKey: annSecret}
	bob := transport.DialOptions{Identity: []byte("\x01bob"), PublicKey: bobPublic, SecretKey: bobSecret}

	for _, host := range []string{"tcp://127.0.0.1:*", "tcp://[::1]:*"} {
		for _, test := range []struct{ friend, stranger transport.DialOptions }{{ann, bob}, {bob, ann}} {
			log := newRefusals()
			policy := transport.NewPolicy(slog.New(log), true, []string{test.friend.PublicKey})
			public, secret := transporttest.NewKeys(t)
			in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{PublicKey: public, SecretKey: secret,
				ZapDomain: "global", Policy: policy}, host)
			test.friend.ServerKey, test.stranger.ServerKey = public, public

			stranger := transporttest.MustDial(t, tr, endpoint, test.stranger)
			sendUnwelcome(t, stranger, "let me in")
			want := "what=connection domain=global address=" + strings.Trim(host[len("tcp://"):len(host)-2], "[]") +
				" key=" + test.stranger.PublicKey
			if got := log.next(t); got != want || policy.Refused() == 0 {
				t.Errorf("refused %q, %d in all; want %q, counted", got, policy.Refused(), want)
			}
			plain := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: []byte("\x01plain")})
			sendUnwelcome(t, plain, "me too")
			wrong := test.friend
			wrong.ServerKey = annPublic // not the listener's
			imposed := transporttest.MustDial(t, tr, endpoint, wrong)
			sendUnwelcome(t, imposed, "and me")
			sendUnwelcome(t, stranger, "let me in, please")

			friend := transporttest.MustDial(t, tr, endpoint, test.friend)
			transporttest.MustSend(t, friend, transporttest.WhisperHeader, []byte("it's me"))
			var p transport.Packet
			transporttest.MustRecv(t, in, &p)
			if string(p.Frames[0]) != "it's me" || p.UserID != test.friend.PublicKey {
				t.Errorf("received %q from user %q, want the friend's %q", p.Frames[0], p.UserID, test.friend.PublicKey)
			}
			transporttest.MustSend(t, friend, transporttest.WhisperHeader, []byte("it's me again"))
			transporttest.MustRecv(t, in, &p)
			if string(p.Frames[0]) != "it's me again" {
				t.Errorf("received %q of %x, want nothing but the friend's", p.Frames, p.From)
			}
		}
	}
}

func TestZAP_lifeCycle(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	public, secret := transporttest.NewKeys(t)
	opts := transport.ListenOptions{PublicKey: public, SecretKey: secret, ZapDomain: "global"}
	client := transport.DialOptions{Identity: transporttest.Identity, ServerKey: public, PublicKey: public, SecretKey: secret}
	for range 20 { // the responder's name must be free again at once
		a, endpoint := transporttest.MustListen(t, tr, opts, "tcp://127.0.0.1:*")
		b, _ := transporttest.MustListen(t, tr, opts, "tcp://127.0.0.1:*")
		if err := b.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		m := transporttest.MustDial(t, tr, endpoint, client)
		transporttest.MustSend(t, m, transporttest.PingHeader)
		var p transport.Packet
		transporttest.MustRecv(t, a, &p)
		if p.UserID != public {
			t.Errorf("userID = %q, want %q", p.UserID, public)
		}
		if err := errors.Join(m.Close(0), a.Close()); err != nil {
			t.Errorf("Close() = %v", err)
		}
		if tr.AnswersZAP() {
			t.Fatal("the responder is still there")
		}
	}
}
