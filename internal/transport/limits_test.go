package transport_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// A frame that is announced as larger than a message may be ends its connection, before any
// of it has come: without keys, and before a key is proven.
func TestInbox_largeFrame(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	plain, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: 1 << 20}, "tcp://127.0.0.1:*")
	public, secret := transporttest.NewKeys(t)
	_, secureAt := transporttest.MustListen(t, tr, transport.ListenOptions{
		MaxMessage: 1 << 20, PublicKey: public, SecretKey: secret,
	}, "tcp://127.0.0.1:*")
	for name, dial := range map[string]func() (zmtp.Raw, error){
		"plain": func() (zmtp.Raw, error) { return zmtp.Dial(at, transporttest.Identity) },
		"CURVE": func() (zmtp.Raw, error) { return zmtp.DialGreeting(secureAt, "CURVE") },
	} {
		r, err := dial()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer r.Close()
		if _, err := r.Write(zmtp.AppendClaim(nil, 1<<20+1, false)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !r.Ended(patience) {
			t.Errorf("%s: the connection goes on after a frame of 1 MiB and a byte was announced, want it ended", name)
		}
	}
	m := transporttest.MustDial(t, tr, at, transport.DialOptions{})
	transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, 1<<20))
	var p transport.Packet
	transporttest.MustRecv(t, plain, &p)
	if p.Excess || len(p.Frames) != 1 {
		t.Errorf("a message of the limit: %d frames, Excess %v, want it whole", len(p.Frames), p.Excess)
	}
}

// A connection that does not shake hands is ended.
func TestInbox_noHandshake(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a handshake may")
	}
	t.Parallel()
	tr := transporttest.NewZMQ(t)
	public, secret := transporttest.NewKeys(t)
	_, at := transporttest.MustListen(t, tr, transport.ListenOptions{PublicKey: public, SecretKey: secret}, "tcp://127.0.0.1:*")
	r, err := zmtp.DialGreeting(at, "CURVE")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.Ended(40 * time.Second) {
		t.Error("a connection goes on for 40 s without a key, want it ended")
	}
}

// Of a message of too many frames, or of too many bytes in all, nothing is kept, and Recv
// returns often; what follows arrives.
func TestInbox_Recv_excess(t *testing.T) {
	const limit = 1 << 20
	for name, configure := range map[string]func(*transport.ZMQ){
		"C": func(*transport.ZMQ) {}, "public": (*transport.ZMQ).UsePublicOnly,
	} {
		t.Run(name, func(t *testing.T) {
			tr := transporttest.NewZMQ(t)
			tr.DisableInproc()
			configure(tr)
			in, at := transporttest.MustListen(t, tr, transport.ListenOptions{MaxMessage: limit}, "tcp://127.0.0.1:*")
			m := transporttest.MustDial(t, tr, at, transport.DialOptions{})
			for _, test := range []struct {
				name   string
				header []byte
				count  int
				size   int
				excess bool
			}{
				{"as many frames as there may be", transporttest.WhisperHeader, transport.MaxFrames, 1, false},
				{"one too many", transporttest.WhisperHeader, transport.MaxFrames + 1, 1, true},
				{"very many", transporttest.WhisperHeader, 100_000, 0, true},
				{"very many that nobody wants", transporttest.PingHeader, 100_000, 0, true},
				{"too many bytes", transporttest.WhisperHeader, 9, limit / 8, true},
			} {
				frames := make([][]byte, test.count)
				for i := range frames {
					frames[i] = make([]byte, test.size)
				}
				transporttest.MustSend(t, m, test.header, frames...)
				transporttest.MustSend(t, m, transporttest.WhisperHeader, []byte("after"))
				p, partial := transport.Packet{}, recvCounting(t, in)
				if want := test.count / 5000; partial.pauses < want || partial.packet.Excess != test.excess {
					t.Errorf("%s: %d pauses and Excess %v, want at least %d and %v",
						test.name, partial.pauses, partial.packet.Excess, want, test.excess)
				}
				if got := len(partial.packet.Frames); test.excess && got != 0 || !test.excess && got != test.count {
					t.Errorf("%s: %d frames kept", test.name, got)
				}
				transporttest.MustRecv(t, in, &p)
				if p.Excess || len(p.Frames) != 1 || string(p.Frames[0]) != "after" {
					t.Errorf("%s: then %q, Excess %v, want what was sent after", test.name, p.Frames, p.Excess)
				}
			}
		})
	}
}

type counted struct {
	packet transport.Packet
	pauses int // times that Recv returned in the middle
}

// recvCounting waits for a message.
func recvCounting(t *testing.T, in transport.Inbox) (c counted) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		err := in.Recv(&c.packet)
		switch {
		case err == nil:
			return c
		case errors.Is(err, transport.ErrPartial):
			c.pauses++
		case !errors.Is(err, transport.ErrAgain):
			t.Fatal(err)
		default:
			in.Wait(until)
		}
	}
	t.Fatal("nothing received")
	return c
}
