//go:build unix

package zmqwait

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const patience = 10 * time.Second

func never() bool { return false }

// newPull returns a PULL socket on a port of its own, its endpoint and a Waiter for it.
func newPull(tb testing.TB) (*zmq.Socket, string, *Waiter) {
	tb.Helper()
	soc, err := zmq.NewSocket(zmq.PULL)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { soc.Close() })
	if err := soc.Bind("tcp://127.0.0.1:*"); err != nil {
		tb.Fatal(err)
	}
	endpoint, err := soc.GetLastEndpoint()
	if err != nil {
		tb.Fatal(err)
	}
	fd, err := soc.GetFd()
	if err != nil {
		tb.Fatal(err)
	}
	w, err := New(uintptr(fd))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	return soc, endpoint, w
}

func newPush(tb testing.TB, endpoint string) *zmq.Socket {
	tb.Helper()
	soc, err := zmq.NewSocket(zmq.PUSH)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { soc.Close() })
	if err := soc.SetLinger(0); err != nil {
		tb.Fatal(err)
	}
	if err := soc.Connect(endpoint); err != nil {
		tb.Fatal(err)
	}
	return soc
}

func readable(soc *zmq.Socket) func() bool {
	return func() bool {
		events, err := soc.GetEvents()
		return err != nil || events&zmq.POLLIN != 0
	}
}

// park has a goroutine wait without a deadline, and returns once it is parked.
func park(t *testing.T, w *Waiter) (done <-chan error) {
	t.Helper()
	returned := make(chan error, 1)
	go func() { returned <- w.Wait(never, time.Time{}) }()
	for w.state.Load() != parked {
		select {
		case err := <-returned:
			t.Fatalf("Wait() = %v at once, want it to park", err)
		default:
			runtime.Gosched()
		}
	}
	return returned
}

// rouse wakes a parked goroutine, and waits for it.
func rouse(t *testing.T, w *Waiter, done <-chan error) {
	t.Helper()
	w.Wake()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("Wait() still parked after Wake")
	}
}

func TestWaiter_Wait_wakeBefore(t *testing.T) {
	_, _, w := newPull(t)
	w.Wake()
	w.Wake()
	start := time.Now()
	if err := w.Wait(never, start.Add(patience)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d >= patience {
		t.Errorf("Wait() took %v after Wake", d)
	}
	rouse(t, w, park(t, w)) // the two calls count once: the next Wait parks
}

func TestWaiter_Wait_wakeDuring(t *testing.T) {
	_, _, w := newPull(t)
	for range 1000 {
		go w.Wake()
		start := time.Now()
		if err := w.Wait(never, start.Add(patience)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d >= patience {
			t.Fatalf("Wait() took %v with a Wake under way", d)
		}
	}
}

func TestWaiter_Wait_wakeParked(t *testing.T) {
	_, _, w := newPull(t)
	for range 100 {
		rouse(t, w, park(t, w))
	}
}

func TestWaiter_Wait_deadline(t *testing.T) {
	_, _, w := newPull(t)
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, 30 * time.Millisecond} {
		until := time.Now().Add(d)
		if err := w.Wait(never, until); err != nil {
			t.Fatal(err)
		}
		if now := time.Now(); now.Before(until) || now.Sub(until) > patience {
			t.Errorf("Wait(%v) returned %v after its deadline", d, now.Sub(until))
		}
	}
}

func TestWaiter_Wait_readable(t *testing.T) {
	pull, endpoint, w := newPull(t)
	push := newPush(t, endpoint)
	go func() { _, _ = push.Send("x", 0) }()
	deadline := time.Now().Add(patience)
	for {
		if _, err := pull.RecvBytes(zmq.DONTWAIT); err == nil {
			return
		}
		if !time.Now().Before(deadline) {
			t.Fatal("nothing received")
		}
		if err := w.Wait(readable(pull), deadline); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaiter_Close(t *testing.T) {
	_, _, w := newPull(t)
	for range 2 {
		if err := w.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	w.Wake()
	w.Wake()
	if err := w.Wait(never, time.Time{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait() after Close = %v, want %v", err, ErrClosed)
	}
}

func TestNew_notPollable(t *testing.T) {
	fd, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Close(fd)
	if w, err := New(uintptr(fd)); err == nil {
		w.Close()
		t.Error("New(/dev/null) = nil error, want one: it cannot be polled")
	}
	if _, err := New(^uintptr(0)); err == nil {
		t.Error("New(-1) = nil error, want one")
	}
}

// TestWaiter_Wake_stress counts what four goroutines announce. A lost call would
// leave the owner parked with work undone.
func TestWaiter_Wake_stress(t *testing.T) {
	rounds := 100_000
	if testing.Short() {
		rounds = 10_000
	}
	for _, procs := range []int{1, 2, runtime.NumCPU()} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			_, _, w := newPull(t)
			var work atomic.Int64
			var wg sync.WaitGroup
			// A turn each: the callers wait for the owner now and then, so that it
			// parks often instead of seeing one long burst.
			var seen atomic.Int64
			for g := range 4 {
				wg.Go(func() {
					for i := range rounds / 4 {
						n := work.Add(1)
						w.Wake()
						for (i+g)%8 == 0 && seen.Load() < n {
							runtime.Gosched()
						}
					}
				})
			}
			tick := time.Now().Add(time.Hour)
			for got := int64(0); got < int64(rounds); got = seen.Load() {
				start := time.Now()
				if err := w.Wait(never, minTime(start.Add(patience), tick)); err != nil {
					t.Fatal(err)
				}
				if time.Since(start) >= patience {
					t.Fatalf("Wait() slept with %d of %d pieces of work undone", work.Load()-got, rounds)
				}
				seen.Store(work.Load())
			}
			wg.Wait()
		})
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TestWaiter_Wait_edges hammers a real socket: an edge lost between draining it
// and parking would stall the reader.
func TestWaiter_Wait_edges(t *testing.T) {
	const n = 20_000
	pull, endpoint, w := newPull(t)
	push := newPush(t, endpoint)
	credit := make(chan struct{}, 3) // few in flight, so that the reader parks all the time
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			select {
			case credit <- struct{}{}:
			case <-stop:
				return
			}
			if _, err := push.Send("x", 0); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.Wake()
				runtime.Gosched()
			}
		}
	})
	ready := readable(pull)
	for got := 0; got < n; {
		if _, err := pull.RecvBytes(zmq.DONTWAIT); err == nil {
			got++
			<-credit
			continue
		}
		start := time.Now()
		if err := w.Wait(ready, start.Add(patience)); err != nil {
			t.Error(err)
			break
		}
		if time.Since(start) >= patience {
			t.Errorf("Wait() slept after %d of %d messages", got, n)
			break
		}
	}
	close(stop)
	wg.Wait()
}

// An idle owner does not run: it parks once, and stays parked until it is woken, while
// others have messages.
func TestWaiter_Wait_idle(t *testing.T) {
	pull, endpoint, w := newPull(t)
	newPush(t, endpoint)
	ready := readable(pull)
	returns, checks := 0, 0
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() {
		var err error
		for until := time.Now().Add(time.Hour); err == nil && !stop.Load(); returns++ {
			err = w.Wait(func() bool { checks++; return ready() }, until)
		}
		done <- err
	}()
	others, at, _ := newPull(t)
	push := newPush(t, at)
	for range 2000 {
		if _, err := push.SendBytes(nil, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := others.RecvBytes(0); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	rouse(t, w, done)
	if returns > 2 || checks > 8 {
		t.Errorf("%d returns and %d checks until Wake, want 1 and a handful while connecting", returns, checks)
	}
}

func TestSpare(t *testing.T) {
	if !HaveDescriptors(3) {
		t.Error("HaveDescriptors(3) = false, want true")
	}
}

func BenchmarkWake(b *testing.B) {
	_, _, w := newPull(b)
	back := make(chan struct{})
	var stop atomic.Bool
	go func() {
		defer close(back)
		for !stop.Load() {
			_ = w.Wait(never, time.Time{})
			back <- struct{}{}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		w.Wake()
		<-back
	}
	stop.Store(true)
	w.Wake()
	for range back {
	}
}

func BenchmarkWake_channel(b *testing.B) {
	bell, back := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(back)
		for range bell {
			back <- struct{}{}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		bell <- struct{}{}
		<-back
	}
	close(bell)
	<-back
}

func BenchmarkWake_awake(b *testing.B) {
	_, _, w := newPull(b)
	b.ReportAllocs()
	for b.Loop() {
		w.Wake()
		_ = w.Wait(never, time.Time{})
	}
}
