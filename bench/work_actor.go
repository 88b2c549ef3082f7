package main

import (
	"errors"
	"runtime"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// An actor is what any Go package must do whose sockets belong to one goroutine and whose
// application belongs to others: messages pass a channel on the way in and a queue on the
// way out, and nothing else is done to them. It waits for its socket as a node does.
type actor struct {
	in, out  *zmq.Socket
	waiter   *zmqwait.Waiter
	received chan []byte
	queued   chan []byte
}

func newActor(in, out *zmq.Socket) (*actor, error) {
	fd, err := in.GetFd()
	if err != nil {
		return nil, err
	}
	w, err := zmqwait.New(uintptr(fd))
	if err != nil {
		return nil, err
	}
	a := &actor{in: in, out: out, waiter: w, received: make(chan []byte, 64), queued: make(chan []byte, 64)}
	go a.run()
	return a, nil
}

// run owns the sockets until one fails.
func (a *actor) run() {
	defer close(a.received)
	for a.step() == nil {
	}
}

func (a *actor) step() error {
	for {
		_, err := a.in.RecvBytes(zmq.DONTWAIT)
		if errors.Is(err, zmq.Errno(syscall.EAGAIN)) {
			break
		}
		var payload []byte
		for range 2 {
			if payload, err = a.in.RecvBytes(0); err != nil {
				return err
			}
		}
		a.received <- payload
	}
	for len(a.queued) > 0 {
		if err := sendBare(a.out, <-a.queued); err != nil {
			return err
		}
	}
	runtime.Gosched() // whoever got a message answers before the actor sleeps
	if len(a.queued) > 0 {
		return nil
	}
	return a.waiter.Wait(a.hasWork, time.Time{})
}

func (a *actor) hasWork() bool {
	events, err := a.in.GetEvents()
	return err != nil || events&zmq.POLLIN != 0 || len(a.queued) > 0
}

func (a *actor) send(payload []byte) error {
	a.queued <- payload
	a.waiter.Wake()
	return nil
}

func (a *actor) receive() ([]byte, error) {
	payload, ok := <-a.received
	if !ok {
		return nil, errors.New("the actor has ended")
	}
	return payload, nil
}

// actorEcho does what zmqEcho does.
func actorEcho(w *output, p params) error {
	in, out, err := answerer(w)
	if err != nil {
		return err
	}
	a, err := newActor(in, out)
	if err != nil {
		return err
	}
	return echo(w, p, a.send, a.receive)
}

// actorPing does what zmqPing does.
func actorPing(w *output, p params) error {
	in, out, err := asker(p)
	if err != nil {
		return err
	}
	a, err := newActor(in, out)
	if err != nil {
		return err
	}
	return pings(w, p, a.send, a.receive)
}
