//go:build unix

package zmqwait

import (
	"sync/atomic"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// watched is a PULL socket with a Watcher, and a PUSH socket connected to it.
type watched struct {
	*Watcher
	pull, push *zmq.Socket
	fired      chan struct{} // one slot
	notified   atomic.Int64
	rearmed    int64
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{fired: make(chan struct{}, 1)}
	for i, soc := range []**zmq.Socket{&w.pull, &w.push} {
		var err error
		if *soc, err = zmq.NewSocket([]zmq.Type{zmq.PULL, zmq.PUSH}[i]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*soc).Close() })
		if err := (*soc).SetLinger(0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.pull.Bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	endpoint, err := w.pull.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.push.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	fd, err := w.pull.GetFd()
	if err != nil {
		t.Fatal(err)
	}
	w.Watcher, err = Watch(uintptr(fd), func() {
		w.notified.Add(1)
		select {
		case w.fired <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got := w.notified.Load(); got > 1+w.rearmed {
			t.Errorf("fired %d times with Rearm called %d times", got, w.rearmed)
		}
	})
	return w
}

func (w *watched) rearm() {
	w.rearmed++
	w.Rearm()
}

func (w *watched) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := w.push.Send("x", 0); err != nil {
			t.Fatal(err)
		}
	}
}

// receive reads n messages as an owner does: until there is no more, then Rearm, then
// it waits for the Watcher.
func (w *watched) receive(t *testing.T, n int) {
	t.Helper()
	for got := 0; ; {
		_, err := w.pull.Recv(zmq.DONTWAIT)
		if err == nil {
			got++
			continue
		}
		w.rearm()
		if got == n {
			return
		}
		select {
		case <-w.fired:
		case <-time.After(patience):
			t.Fatalf("received %d of %d messages; the Watcher does not fire", got, n)
		}
	}
}

func TestWatcher_Fired(t *testing.T) {
	w := newWatched(t)
	for range 100 {
		w.send(t, 1)
		w.receive(t, 1)
	}
	w.send(t, 1000)
	w.receive(t, 1000)
}

// A Watcher that has fired rests until Rearm, and fires again if the socket was not read
// to its end.
func TestWatcher_Rearm(t *testing.T) {
	w := newWatched(t)
	w.send(t, 1)
	for range 10 {
		select {
		case <-w.fired:
		case <-time.After(patience):
			t.Fatal("does not fire")
		}
		w.rearm()
	}
	w.rearm() // nothing to do: it has not fired, or fires again
	w.receive(t, 1)
}

// While the Watcher rests messages do not make it fire.
func TestWatcher_rests(t *testing.T) {
	w := newWatched(t)
	w.send(t, 1)
	select {
	case <-w.fired:
	case <-time.After(patience):
		t.Fatal("does not fire")
	}
	if !w.Fired() {
		t.Error("Fired() = false after it fired")
	}
	w.send(t, 10)
	w.receive(t, 11)
}

func TestWatcher_Close(t *testing.T) {
	for _, fired := range []bool{false, true} {
		w := newWatched(t)
		if fired {
			w.send(t, 1)
			select {
			case <-w.fired:
			case <-time.After(patience):
				t.Fatal("does not fire")
			}
		}
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
		w.rearm() // harmless
	}
}

func TestWatch_badDescriptor(t *testing.T) {
	if w, err := Watch(^uintptr(0), func() {}); err == nil {
		w.Close()
		t.Error("Watch(-1) = nil error, want one")
	}
}
