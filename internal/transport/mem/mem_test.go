package mem

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestNetwork_contract(t *testing.T) {
	for _, latency := range []time.Duration{0, 100 * time.Microsecond} {
		t.Run(latency.String(), func(t *testing.T) {
			transporttest.Contract(t, func(testing.TB) transport.Transport {
				n := New(1)
				n.SetLatency(latency)
				return n.NewHost(nil, nil)
			})
		})
	}
}

// A message that is larger than the inbox takes arrives without its content, as with libzmq,
// and the next one whole.
func TestInbox_excess(t *testing.T) {
	host := New(1).NewHost(nil, nil)
	in, at := transporttest.MustListen(t, host, transport.ListenOptions{MaxMessage: 1000}, "tcp://127.0.0.1:*")
	m, err := host.Dial(at, transport.DialOptions{Identity: []byte("sender")})
	if err != nil {
		t.Fatal(err)
	}
	whisper := []byte{0xAA, 0xA1, 2, 2, 0, 1}
	for _, c := range []struct {
		name   string
		frames [][]byte
		excess bool
	}{
		{"1,000 bytes", [][]byte{make([]byte, 1000)}, false},
		{"1,001 bytes", [][]byte{make([]byte, 1001)}, true},
		{"1,001 bytes in two frames", [][]byte{make([]byte, 1000), make([]byte, 1)}, true},
		{"10,000 frames", make([][]byte, transport.MaxFrames), false},
		{"10,001 frames", make([][]byte, transport.MaxFrames+1), true},
		{"nothing", [][]byte{{}}, false},
	} {
		if err := m.Send(whisper, c.frames); err != nil {
			t.Fatal(err)
		}
		var p transport.Packet
		if err := in.Recv(&p); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := len(c.frames)
		if c.excess {
			want = 0
		}
		if p.Excess != c.excess || len(p.Frames) != want {
			t.Errorf("%s: Excess %v and %d frames, want %v and %d", c.name, p.Excess, len(p.Frames), c.excess, want)
		}
	}
}
