package zgossip

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// newPair returns two sockets that are connected. A slot of wake is filled when the first may
// have something.
func newPair(t *testing.T) (a, b *socket, wake chan struct{}) {
	t.Helper()
	ctx := newContext(t)
	open := func(wake chan<- struct{}, set func(*zmq.Socket) error) *socket {
		s, err := openSocket(ctx, zmq.PAIR, wake, func(soc *zmq.Socket) error {
			return errors.Join(soc.SetRcvhwm(2), soc.SetSndhwm(2), set(soc))
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.close(0); err != nil {
				t.Errorf("close() = %v, want nil", err)
			}
		})
		return s
	}
	wake = make(chan struct{}, 1)
	a = open(wake, func(soc *zmq.Socket) error { return soc.Bind("inproc://pair") })
	b = open(make(chan struct{}, 1), func(soc *zmq.Socket) error { return soc.Connect("inproc://pair") })
	return a, b, wake
}

// awaitWake waits until a slot of wake is filled.
func awaitWake(t *testing.T, wake <-chan struct{}) {
	t.Helper()
	select {
	case <-wake:
	case <-time.After(patience):
		t.Fatalf("no wake within %v", patience)
	}
}

// A socket that cannot be configured is closed: its context can be terminated.
func TestOpenSocket_refused(t *testing.T) {
	refused := errors.New("refused")
	s, err := openSocket(newContext(t), zmq.PAIR, nil, func(*zmq.Socket) error { return refused })
	if s != nil || !errors.Is(err, refused) {
		t.Errorf("openSocket() = %v, %v, want nil, %v", s, err, refused)
	}
}

// A socket is to be read at first, after something was sent on it, and when something comes.
func TestSocket_MayHaveInput(t *testing.T) {
	a, b, wake := newPair(t)
	drain := func(want int) {
		t.Helper()
		for got := 0; ; got++ {
			if _, err := a.RecvBytes(zmq.DONTWAIT); err != nil {
				if got != want || !isAgain(err) {
					t.Fatalf("%d messages, then %v, want %d, then EAGAIN", got, err, want)
				}
				a.SetDrained()
				return
			}
		}
	}
	if !a.MayHaveInput() {
		t.Error("MayHaveInput() of a new socket = false, want true")
	}
	drain(0)
	if err := a.send([]byte("there")); err != nil || !a.mustRead || !a.MayHaveInput() {
		t.Errorf("send() = %v; MayHaveInput() afterwards %t, want nil, true", err, a.MayHaveInput())
	}
	drain(0)
	if err := b.send([]byte("back")); err != nil {
		t.Fatal(err)
	}
	for !a.MayHaveInput() {
		awaitWake(t, wake)
	}
	if !a.MayHaveRoom() {
		t.Error("MayHaveRoom() = false after the Watcher has fired, want true")
	}
	drain(1)
}

// A message for which there is no room is sent not even in part.
func TestSocket_send_full(t *testing.T) {
	a, b, _ := newPair(t)
	sent := 0
	for ; ; sent++ {
		err := b.send([]byte("head"), fmt.Append(nil, sent))
		if isAgain(err) {
			break
		}
		if err != nil || sent > 100 {
			t.Fatalf("send() = %v after %d messages, want EAGAIN after a few", err, sent)
		}
	}
	if sent == 0 {
		t.Fatal("no message was sent")
	}
	for i := range sent {
		got, err := a.RecvMessageBytes(zmq.DONTWAIT)
		if want := fmt.Sprintf("[head %d]", i); err != nil || fmt.Sprintf("%s", got) != want {
			t.Fatalf("message %d = %s, %v, want %s", i, got, err, want)
		}
	}
	if got, err := a.RecvMessageBytes(zmq.DONTWAIT); !isAgain(err) {
		t.Errorf("after %d messages: %s, %v, want EAGAIN", sent, got, err)
	}
}

// A message is read maxParts frames at a time, and its first frames are kept.
func TestSocket_receive(t *testing.T) {
	failed := errors.New("failed")
	const most, many = maxParts, -1 // many is more than maxParts
	for _, c := range []struct {
		name     string
		messages []int // the frames of each; 0 is an error
		numbers  []int // the result of each call; many where it is not exact
		errs     []error
		kept     int // frames that the first call kept
	}{
		{"one frame", []int{1}, []int{1}, []error{nil}, 1},
		{"two", []int{2}, []int{2}, []error{nil}, 2},
		{"more than are kept", []int{3}, []int{3}, []error{nil}, 2},
		{"nothing", []int{0}, []int{0}, []error{failed}, 0},
		{"as many as are read at once", []int{most, 1}, []int{most, 1}, []error{nil, nil}, 2},
		{"one more", []int{most + 1, 1}, []int{most, many, 1}, []error{errPartial, nil, nil}, 2},
		{"many more", []int{3*most - 1, 2}, []int{most, many, many, 2}, []error{errPartial, errPartial, nil, nil}, 2},
	} {
		var left []bool // of each frame, whether another one follows
		for _, frames := range c.messages {
			for i := range frames {
				left = append(left, i < frames-1)
			}
		}
		frame := 0
		s := &socket{}
		for i, want := range c.numbers {
			var parts [2][]byte
			n, err := s.receive(parts[:], func(int) ([]byte, bool, error) {
				if frame == len(left) {
					return nil, false, failed
				}
				frame++
				return fmt.Append(nil, frame), left[frame-1], nil
			})
			if n != want && (want != many || n <= most) || !errors.Is(err, c.errs[i]) {
				t.Errorf("%s: call %d = %d, %v, want %d, %v", c.name, i, n, err, want, c.errs[i])
			}
			if i > 0 {
				continue
			}
			for k, part := range parts {
				if want := fmt.Append(nil, k+1); (part != nil) != (k < c.kept) || part != nil && !slices.Equal(part, want) {
					t.Errorf("%s: part %d = %q, want %d kept", c.name, k, part, c.kept)
				}
			}
		}
		if frame != len(left) {
			t.Errorf("%s: %d frames were read, want %d", c.name, frame, len(left))
		}
	}
}
