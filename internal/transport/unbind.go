package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// unbindLimit is how long Unbind waits for libzmq, which takes less than a millisecond
// unless the machine is overloaded.
const unbindLimit = 5 * time.Second

// Unbind has a socket stop to listen at endpoints that it is bound to, and returns when
// they can be bound again, by whomever. Connections that were made to them remain.
//
// libzmq closes the listening sockets in another thread, some time after zmq_unbind and
// zmq_close have returned; only its events tell when. In the meantime a TCP port is in
// use, and whoever is bound to the path of an ipc endpoint would lose the file.
//
// An endpoint that was bound just before, when nothing has been received since, may stay bound on
// an overloaded machine: libzmq 4.3.4 forgets it, and does not end what listens there, if its other
// thread was interrupted between queueing a command for the socket and telling it. Whoever reads the
// socket in between, as a node does, has nothing to fear.
func Unbind(ctx *zmq.Context, soc *zmq.Socket, endpoints ...string) error {
	if len(endpoints) == 0 {
		return nil
	}
	// Without events there is nothing to wait for: the address is free a moment later.
	events, _ := watchListeners(ctx, soc)
	listeners := 0
	var errs []error
	for _, e := range endpoints {
		switch err := soc.Unbind(e); {
		case err != nil:
			errs = append(errs, fmt.Errorf("zyre: unbind %s: %w", e, err))
		case !strings.HasPrefix(e, "inproc:"): // which libzmq unbinds at once
			listeners++
		}
	}
	if events != nil {
		awaitClosed(events, listeners)
		// In this order: libzmq would wait for somebody to take its events.
		errs = append(errs, soc.Monitor("", 0), events.Close())
	}
	return errors.Join(errs...)
}

// watchListeners returns a socket that receives an event for each listening socket of
// soc that is closed from now on.
func watchListeners(ctx *zmq.Context, soc *zmq.Socket) (*zmq.Socket, error) {
	if !zmqwait.HaveDescriptors(descriptorReserve) {
		return nil, ErrNoDescriptors
	}
	events, err := ctx.NewSocket(zmq.PAIR)
	if err != nil {
		return nil, err
	}
	name := "inproc://zyre-unbind-" + rand.Text()
	err = errors.Join(events.SetLinger(0), soc.Monitor(name, zmq.EVENT_CLOSED|zmq.EVENT_CLOSE_FAILED))
	if err == nil {
		err = events.Connect(name)
	}
	if err != nil {
		return nil, errors.Join(err, soc.Monitor("", 0), events.Close())
	}
	return events, nil
}

// awaitClosed waits for so many events, but no longer than the limit.
func awaitClosed(events *zmq.Socket, count int) {
	deadline := time.Now().Add(unbindLimit)
	for range count {
		if events.SetRcvtimeo(max(time.Until(deadline), 0)) != nil {
			return
		}
		if _, _, _, err := events.RecvEvent(0); err != nil {
			return
		}
	}
}
