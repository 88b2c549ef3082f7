package zgossip

import (
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// maxFrame is where libzmq hangs up on a peer: far above any legal frame.
const maxFrame = 64 << 10

// lingerUp is how long a farewell may stay in a socket that is closed; it also
// bounds what it adds to the context's Term.
const lingerUp = 250 * time.Millisecond

// source is a socket that is watched.
type source struct {
	soc     *zmq.Socket
	watcher *zmqwait.Watcher
	dirty   bool // was sent to, or not read to its end: the descriptor says nothing
}

func kick(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func newSource(ctx *zmq.Context, t zmq.Type, wake chan<- struct{}, set func(*zmq.Socket) error) (*source, error) {
	soc, err := ctx.NewSocket(t)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(soc.SetLinger(0), set(soc)); err != nil {
		return nil, errors.Join(err, soc.Close())
	}
	w, err := watch(soc, wake)
	if err != nil {
		return nil, errors.Join(err, soc.Close())
	}
	return &source{soc: soc, watcher: w, dirty: true}, nil
}

// watch has a word put in wake when soc may have something.
func watch(soc *zmq.Socket, wake chan<- struct{}) (*zmqwait.Watcher, error) {
	fd, err := soc.GetFd()
	if err != nil {
		return nil, fmt.Errorf("zgossip: socket descriptor: %w", err)
	}
	return zmqwait.Watch(uintptr(fd), func() { kick(wake) })
}

func (s *source) pending() bool { return s.dirty || s.watcher.Fired() }

// drained is called at EAGAIN.
func (s *source) drained() {
	s.dirty = false
	s.watcher.Rearm()
}

func (s *source) close(linger time.Duration) error {
	return errors.Join(s.watcher.Close(), s.soc.SetLinger(linger), s.soc.Close())
}

// recv reads one message of up to len(parts) frames. n is the number of frames it
// had; those beyond parts are read and thrown away.
func (s *source) recv(parts [][]byte) (n int, err error) {
	for {
		b, err := s.soc.RecvBytes(zmq.DONTWAIT)
		if err != nil {
			return n, err
		}
		if n < len(parts) {
			parts[n] = b
		}
		n++
		more, err := s.soc.GetRcvmore()
		if err != nil || !more {
			return n, err
		}
	}
}

// send gives the frames to the socket, or none of them.
func (s *source) send(frames ...[]byte) error {
	s.dirty = true
	for i, f := range frames {
		flags := zmq.DONTWAIT
		if i < len(frames)-1 {
			flags |= zmq.SNDMORE
		}
		if _, err := s.soc.SendBytes(f, flags); err != nil {
			return err
		}
	}
	return nil
}
