package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/measure"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zmqmsg"
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

const actorQueue = 1024 // messages between application and actor, as in zyre

// actorRecv does what zmqRecv does. The actor takes as many messages at once as libzmq has, as a
// node does, and copies each payload for the application, which may keep it.
func actorRecv(w *output, p params) error {
	soc, endpoint, err := listen()
	if err != nil {
		return err
	}
	fd, err := soc.GetFd()
	if err != nil {
		return err
	}
	waiter, err := zmqwait.New(uintptr(fd))
	if err != nil {
		return err
	}
	in, err := zmqmsg.Of(soc, false)
	if err != nil {
		return err
	}
	hasWork := func() bool {
		events, err := soc.GetEvents()
		return err != nil || events&zmq.POLLIN != 0
	}
	received, ended := make(chan []byte, actorQueue), make(chan error, 1)
	go func() {
		defer close(received)
		for {
			_, _, err := in.Fill(false)
			for in.Ready() {
				if f := in.Next(); !f.More {
					received <- bytes.Clone(f.Data)
				}
			}
			if errors.Is(err, zmqmsg.ErrAgain) {
				err = waiter.Wait(hasWork, time.Now().Add(timeout))
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	w.send(message{Endpoint: endpoint})
	t := newTally(1, p)
	for payload := range received {
		if t.add(payload) {
			w.send(t.m)
			w.wait()
			return nil
		}
	}
	return fmt.Errorf("after %d of %d messages: %w", t.Messages, t.count, <-ended)
}

// actorSend does what zmqSend does to one receiver. Each payload is copied for the actor, for the
// application may use it again.
func actorSend(w *output, p params) error {
	soc, err := dial(p.Endpoints[0])
	if err != nil {
		return err
	}
	defer soc.Close()
	out, err := zmqmsg.Of(soc, false)
	if err != nil {
		return err
	}
	queued, ended := make(chan parcel, actorQueue), make(chan error, 1)
	go func() {
		var err error
		for q := range queued {
			if err == nil {
				err = q.send(out, soc)
			}
		}
		ended <- err
	}()
	w.send(message{})
	w.wait()
	payload := make([]byte, p.Size)
	base, begin, cpu := memory().rss, time.Now(), cpuTime()
	for i := range p.Count {
		measure.Number(payload, i, 0)
		queued <- newParcel(payload)
	}
	close(queued)
	if err := <-ended; err != nil {
		return err
	}
	w.send(message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu, Count: p.Count,
		Base: base, Peak: peakMemory()})
	w.wait()
	return nil
}

// parcel is a message on the way to the actor.
type parcel struct {
	frame []byte
	large *zmqmsg.Payload // if it is large, in place of frame
}

func newParcel(payload []byte) parcel {
	if large := transport.Share(payload); large != nil {
		return parcel{large: large}
	}
	return parcel{frame: bytes.Clone(payload)}
}

// send queues the message, and waits while the queue of libzmq is full.
func (q parcel) send(out *zmqmsg.Socket, soc *zmq.Socket) error {
	if q.large != nil {
		defer q.large.Release()
	}
	for {
		var err error
		if q.large != nil {
			err = out.SendPayload(bareHeader, q.large)
		} else {
			err = out.Send(bareHeader, [][]byte{q.frame})
		}
		if !errors.Is(err, zmqmsg.ErrAgain) {
			return err
		}
		poller := zmq.NewPoller()
		poller.Add(soc, zmq.POLLOUT)
		if ready, err := poller.Poll(timeout); err != nil || len(ready) == 0 {
			return errors.Join(errors.New("nobody takes messages"), err)
		}
	}
}
