//go:build !unix

package zgossip

import (
	"sync/atomic"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// waiter has the socket looked at each 20 ms, where ZMQ_FD cannot be waited
// for by the Go runtime.
type waiter struct {
	fired atomic.Bool
	quit  chan struct{}
	done  chan struct{}
}

func newWaiter(_ *zmq.Socket, wake chan<- struct{}) (*waiter, error) {
	w := &waiter{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.fired.Store(true)
				kick(wake)
			case <-w.quit:
				return
			}
		}
	}()
	return w, nil
}

func (w *waiter) rearm() { w.fired.Store(false) }

func (w *waiter) close() {
	close(w.quit)
	<-w.done
}
