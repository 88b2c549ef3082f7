package zmqmsg

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const patience = 20 * time.Second

// open makes a socket of zmq4 and ours.
func open(tb testing.TB, kind zmq.Type, hwm int) (*zmq.Socket, *Socket) {
	tb.Helper()
	soc, err := zmq.NewSocket(kind)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Of(soc, false)
	if err := errors.Join(err, soc.SetLinger(0), soc.SetSndhwm(hwm), soc.SetRcvhwm(hwm)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Free()
		if err := soc.Close(); err != nil {
			tb.Error(err)
		}
	})
	return soc, s
}

// pair makes two connected sockets.
func pair(tb testing.TB, hwm int) (in, out *Socket) {
	tb.Helper()
	listener, in := open(tb, zmq.PULL, hwm)
	if err := listener.Bind("tcp://127.0.0.1:*"); err != nil {
		tb.Fatal(err)
	}
	endpoint, err := listener.GetLastEndpoint()
	if err != nil {
		tb.Fatal(err)
	}
	dialer, out := open(tb, zmq.PUSH, hwm)
	if err := dialer.Connect(endpoint); err != nil {
		tb.Fatal(err)
	}
	return in, out
}

// next returns a copy of the next frame, waiting for it.
func next(tb testing.TB, s *Socket, one bool) (data []byte, more bool) {
	tb.Helper()
	for until := time.Now().Add(patience); !s.Ready(); {
		_, _, err := s.Fill(one)
		if err != nil && (!errors.Is(err, ErrAgain) || time.Now().After(until)) {
			tb.Fatalf("Fill() = %v", err)
		}
	}
	f := s.Next()
	return bytes.Clone(f.Data), f.More
}

func receive(tb testing.TB, s *Socket, one bool) (message [][]byte) {
	tb.Helper()
	for more := true; more; {
		var data []byte
		data, more = next(tb, s, one)
		message = append(message, data)
	}
	return message
}

// send sends a message, waiting for room.
func send(tb testing.TB, s *Socket, header []byte, frames [][]byte) {
	tb.Helper()
	for until := time.Now().Add(patience); ; {
		err := s.Send(header, frames)
		if err == nil {
			return
		}
		if !errors.Is(err, ErrAgain) || time.Now().After(until) {
			tb.Fatalf("Send() = %v", err)
		}
	}
}

func TestSocket_Fill_shapes(t *testing.T) {
	many := make([][]byte, 3*64) // more than a batch holds
	for i := range many {
		many[i] = fmt.Appendf(nil, "frame %d", i)
	}
	tests := map[string]struct {
		header []byte
		frames [][]byte
	}{
		"header":     {[]byte("header"), nil},
		"frame":      {[]byte("header"), [][]byte{[]byte("frame")}},
		"frames":     {[]byte("header"), [][]byte{[]byte("a"), []byte("b"), []byte("c")}},
		"many":       {[]byte("header"), many},
		"empty":      {nil, nil},
		"emptyFrame": {[]byte{}, [][]byte{nil}},
		"emptyLast":  {[]byte("header"), [][]byte{{}, nil, {}}},
		"large":      {[]byte("header"), [][]byte{bytes.Repeat([]byte("x"), 1<<20), bytes.Repeat([]byte("y"), 1<<20)}},
	}
	for name, test := range tests {
		for _, one := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/one=%v", name, one), func(t *testing.T) {
				in, out := pair(t, 1000)
				for range 3 {
					send(t, out, test.header, test.frames)
				}
				want := slices.Concat([][]byte{test.header}, test.frames)
				for range 3 {
					if got := receive(t, in, one); !slices.EqualFunc(got, want, bytes.Equal) {
						t.Fatalf("received %d frames %.40q, want %d, %.40q", len(got), got, len(want), want)
					}
				}
				if n, _, err := in.Fill(one); !errors.Is(err, ErrAgain) {
					t.Errorf("Fill() = %d, %v, want %v", n, err, ErrAgain)
				}
			})
		}
	}
}

func TestSocket_Fill_one(t *testing.T) {
	in, out := pair(t, 1000)
	for i := range byte(3) {
		send(t, out, []byte{i}, [][]byte{{i}})
	}
	for i := range byte(3) {
		if got := receive(t, in, true); !bytes.Equal(got[0], []byte{i}) {
			t.Errorf("message %d is %v", i, got)
		}
		if in.Ready() {
			t.Error("Fill(one) got more than one message")
		}
	}
}

// What does not fit is refused whole, and nothing of it is seen at the other end.
func TestSocket_Send_full(t *testing.T) {
	for _, frames := range []int{0, 1, 2, 5} {
		t.Run(fmt.Sprint(frames), func(t *testing.T) {
			in, out := pair(t, 10)
			content := make([][]byte, frames)
			for i := range content {
				content[i] = make([]byte, 10_000)
			}
			sent, refused := uint32(0), 0
			for refused < 100 && sent < 100_000 {
				switch err := out.Send(fmt.Append(nil, sent), content); {
				case err == nil:
					sent++
				case errors.Is(err, ErrAgain):
					refused++
				default:
					t.Fatalf("Send() = %v", err)
				}
			}
			if frames > 0 && refused == 0 {
				t.Fatal("a socket that nobody reads takes everything")
			}
			for i := range sent {
				got := receive(t, in, false)
				if len(got) != 1+frames || string(got[0]) != fmt.Sprint(i) {
					t.Fatalf("message %d has %d frames, the first %.20q; want %d", i, len(got), got[0], 1+frames)
				}
			}
		})
	}
}

func TestSocket_Free(t *testing.T) {
	in, out := pair(t, 1000)
	send(t, out, []byte("x"), nil)
	send(t, out, []byte("y"), nil)
	_ = receive(t, in, false)
	for range 2 {
		in.Free()
		out.Free()
		if in.Ready() {
			t.Error("Ready() after Free")
		}
		if _, _, err := in.Fill(false); !errors.Is(err, ErrSocket) {
			t.Errorf("Fill() after Free = %v, want %v", err, ErrSocket)
		}
		if err := out.Send(nil, nil); !errors.Is(err, ErrSocket) {
			t.Errorf("Send() after Free = %v, want %v", err, ErrSocket)
		}
	}
}

func TestOf_closed(t *testing.T) {
	soc, err := zmq.NewSocket(zmq.PULL)
	if err != nil {
		t.Fatal(err)
	}
	if err := soc.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Of(soc, false); !errors.Is(err, ErrSocket) {
		t.Errorf("Of(closed socket) = %v, want %v", err, ErrSocket)
	}
}

func TestAllocs(t *testing.T) {
	in, out := pair(t, 1000)
	header, frames := []byte("header"), [][]byte{make([]byte, 100)}
	got := testing.AllocsPerRun(500, func() {
		send(t, out, header, frames)
		for more := true; more; {
			for !in.Ready() {
				_, _, _ = in.Fill(false)
			}
			more = in.Next().More
		}
	})
	if got > 0 {
		t.Errorf("allocations of a message = %v, want none", got)
	}
}

func BenchmarkSocket(b *testing.B) {
	in, out := pair(b, 1000)
	header, frames := []byte("header"), [][]byte{make([]byte, 100)}
	const burst = 100
	b.ReportAllocs()
	for b.Loop() {
		for range burst {
			send(b, out, header, frames)
		}
		for got := 0; got < burst; {
			n, _, err := in.Fill(false)
			if err != nil && !errors.Is(err, ErrAgain) {
				b.Fatal(err)
			}
			got += n
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/message")
}
