package zmqmsg

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const patience = 20 * time.Second

// constructor is Of or OfPublic: all tests run with both.
type constructor func(soc *zmq.Socket, users bool) (*Socket, error)

// each runs a test with each constructor.
func each(t *testing.T, test func(t *testing.T, of constructor)) {
	for name, of := range map[string]constructor{"C": Of, "public": OfPublic} {
		t.Run(name, func(t *testing.T) { test(t, of) })
	}
}

// open makes a socket of zmq4 and ours, in a context of its own: once that has ended, libzmq has given
// back what the socket had, which it may do later than Close.
func open(tb testing.TB, of constructor, kind zmq.Type, hwm int) (*zmq.Socket, *Socket) {
	tb.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		tb.Fatal(err)
	}
	soc, err := ctx.NewSocket(kind)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := of(soc, false)
	if err := errors.Join(err, soc.SetLinger(0), soc.SetSndhwm(hwm), soc.SetRcvhwm(hwm)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Free()
		if err := errors.Join(soc.Close(), ctx.Term()); err != nil {
			tb.Error(err)
		}
	})
	return soc, s
}

// pair makes two connected sockets.
func pair(tb testing.TB, of constructor, hwm int) (in, out *Socket) {
	tb.Helper()
	listener, in := open(tb, of, zmq.PULL, hwm)
	if err := listener.Bind("tcp://127.0.0.1:*"); err != nil {
		tb.Fatal(err)
	}
	endpoint, err := listener.GetLastEndpoint()
	if err != nil {
		tb.Fatal(err)
	}
	dialer, out := open(tb, of, zmq.PUSH, hwm)
	if err := dialer.Connect(endpoint); err != nil {
		tb.Fatal(err)
	}
	return in, out
}

// next returns a copy of the next frame, waiting for it.
func next(tb testing.TB, s *Socket, one bool) (data []byte, more bool) {
	tb.Helper()
	wait(tb, s, one)
	f := s.Next()
	return bytes.Clone(f.Data), f.More
}

// wait fills s until it is ready.
func wait(tb testing.TB, s *Socket, one bool) {
	tb.Helper()
	for until := time.Now().Add(patience); !s.Ready(); {
		_, _, err := s.Fill(one)
		if err != nil && (!errors.Is(err, ErrAgain) || time.Now().After(until)) {
			tb.Fatalf("Fill() = %v", err)
		}
	}
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

func TestSocket_Fill_shapes(t *testing.T) { each(t, testShapes) }

func testShapes(t *testing.T, of constructor) {
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
				in, out := pair(t, of, 1000)
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
	each(t, func(t *testing.T, of constructor) {
		in, out := pair(t, of, 1000)
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
	})
}

// A batch ends at a number of frames or bytes, whatever message that is in.
func TestSocket_Fill_batch(t *testing.T) {
	tests := map[string]struct {
		messages, frames, size int // what is sent: messages, frames in each, bytes in each frame
		ready, ended           int // frames and ends of messages in the first batch
		more                   bool
	}{
		"all":            {3, 2, 10, 6, 3, false},
		"frames":         {100, 1, 10, batchFrames, batchFrames, true},
		"inside message": {40, 3, 10, batchFrames, batchFrames / 3, true},
		"bytes":          {10, 1, batchBytes / 4, 4, 4, true},
		"large frame":    {3, 1, batchBytes, 1, 1, true},
	}
	each(t, func(t *testing.T, of constructor) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				ctx, err := zmq.NewContext()
				if err != nil {
					t.Fatal(err)
				}
				in, out := inprocPair(t, ctx, of)
				frames := make([][]byte, test.frames-1)
				for i := range frames {
					frames[i] = make([]byte, test.size)
				}
				for range test.messages {
					send(t, out, make([]byte, test.size), frames)
				}
				ended, more, err := in.Fill(false)
				if ended != test.ended || more != test.more || err != nil {
					t.Errorf("Fill() = %d, %v, %v, want %d, %v", ended, more, err, test.ended, test.more)
				}
				ready := 0
				for ; in.Ready(); ready++ {
					if got, want := in.Next().More, (ready+1)%test.frames != 0; got != want {
						t.Errorf("More of frame %d = %v, want %v", ready, got, want)
					}
				}
				if ready != test.ready {
					t.Errorf("frames in the batch = %d, want %d", ready, test.ready)
				}
			})
		}
	})
}

// inprocPair makes two sockets of a context, between which a message is there at once.
// The context is terminated at the end of the test.
func inprocPair(t *testing.T, ctx *zmq.Context, of constructor) (in, out *Socket) {
	t.Helper()
	t.Cleanup(func() {
		if err := ctx.Term(); err != nil {
			t.Error(err)
		}
	})
	var socs [2]*zmq.Socket
	var ours [2]*Socket
	for i, kind := range []zmq.Type{zmq.PULL, zmq.PUSH} {
		socs[i], ours[i] = socket(t, ctx, of, kind, true)
	}
	if err := errors.Join(socs[0].Bind("inproc://pair"), socs[1].Connect("inproc://pair")); err != nil {
		t.Fatal(err)
	}
	return ours[0], ours[1]
}

// What does not fit is refused whole, and nothing of it is seen at the other end.
func TestSocket_Send_full(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		for _, frames := range []int{0, 1, 2, 5} {
			t.Run(fmt.Sprint(frames), func(t *testing.T) { testFull(t, of, frames) })
		}
	})
}

func testFull(t *testing.T, of constructor, frames int) {
	in, out := pair(t, of, 10)
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
}

func TestSocket_Free(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		in, out := pair(t, of, 1000)
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
	})
}

// zmq4 closes a socket that the garbage collector finds unused. Ours uses it.
func TestSocket_keepsSocketOpen(t *testing.T) { each(t, testKeepsOpen) }

func testKeepsOpen(t *testing.T, of constructor) {
	in, endpoint := func() (*Socket, string) {
		soc, err := zmq.NewSocket(zmq.PULL)
		if err != nil {
			t.Fatal(err)
		}
		if err := soc.Bind("tcp://127.0.0.1:*"); err != nil {
			t.Fatal(err)
		}
		endpoint, err := soc.GetLastEndpoint()
		if err != nil {
			t.Fatal(err)
		}
		s, err := of(soc, false)
		if err != nil {
			t.Fatal(err)
		}
		return s, endpoint
	}()
	defer in.Free()
	for range 3 {
		collected := make(chan struct{})
		runtime.SetFinalizer(new([16]*int), func(*[16]*int) { close(collected) })
		for done := false; !done; {
			runtime.GC()
			select {
			case <-collected:
				done = true
			default:
			}
		}
	}
	if _, _, err := in.Fill(false); !errors.Is(err, ErrAgain) {
		t.Fatalf("Fill() after a garbage collection = %v, want %v", err, ErrAgain)
	}
	dialer, out := open(t, of, zmq.PUSH, 1000)
	if err := dialer.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	send(t, out, []byte("x"), nil)
	if got := receive(t, in, false); len(got) != 1 || string(got[0]) != "x" {
		t.Errorf("received %q, want x", got)
	}
}

func TestOf_closed(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		soc, err := zmq.NewSocket(zmq.PULL)
		if err != nil {
			t.Fatal(err)
		}
		if err := soc.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := of(soc, false); !errors.Is(err, ErrSocket) {
			t.Errorf("constructor of a closed socket: %v, want %v", err, ErrSocket)
		}
	})
}

// The release of zmq4 that go.mod names is one of those that Of knows.
func TestOf_knowsRelease(t *testing.T) {
	if _, s := open(t, Of, zmq.PULL, 1); s.public != nil {
		t.Error("Of() falls back on the public methods of zmq4")
	}
}

func TestAllocs(t *testing.T) {
	in, out := pair(t, Of, 1000)
	for _, frames := range [][][]byte{nil, {make([]byte, 100)}, {make([]byte, 100), nil, make([]byte, 100)}} {
		header := []byte("header")
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
			t.Errorf("allocations of a message of %d frames = %v, want none", 1+len(frames), got)
		}
	}
}

func BenchmarkSocket(b *testing.B) {
	for _, path := range []struct {
		name string
		of   constructor
	}{{"C", Of}, {"public", OfPublic}} {
		b.Run(path.name, func(b *testing.B) { benchmark(b, path.of) })
	}
}

func benchmark(b *testing.B, of constructor) {
	in, out := pair(b, of, 1000)
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
