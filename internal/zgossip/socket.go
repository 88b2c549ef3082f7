package zgossip

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// maxFrame is the size of a frame for which libzmq closes the connection. It is far above
// that of any frame of the protocol.
const maxFrame = 64 << 10

// closeLinger is how long a socket that was closed may go on sending tombstones. The
// context's Term may take as much longer.
const closeLinger = 250 * time.Millisecond

// socket is a socket of zmq4 with a Watcher.
type socket struct {
	*zmq.Socket
	watcher *zmqwait.Watcher

	// mustRead says to read the socket although the Watcher has not fired: something was
	// sent, or the socket was not read to its end. Both may hide input from the Watcher.
	mustRead bool

	inside bool // a part of a message has been read
}

// openSocket makes a socket and has set configure it. A slot of wake is filled when the
// socket may have something.
func openSocket(ctx *zmq.Context, t zmq.Type, wake chan<- struct{}, set func(*zmq.Socket) error) (*socket, error) {
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
	return &socket{Socket: soc, watcher: w, mustRead: true}, nil
}

func watch(soc *zmq.Socket, wake chan<- struct{}) (*zmqwait.Watcher, error) {
	fd, err := soc.GetFd()
	if err != nil {
		return nil, fmt.Errorf("zgossip: socket descriptor: %w", err)
	}
	return zmqwait.Watch(uintptr(fd), func() { signal(wake) })
}

// signal fills the slot of c unless it is full.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isAgain reports whether err says that a socket has nothing more, or no room.
func isAgain(err error) bool { return zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) }

// MayHaveInput reports whether the socket is to be read.
func (s *socket) MayHaveInput() bool { return s.mustRead || s.watcher.Fired() }

// MayHaveRoom reports whether the Watcher has fired: that may also mean that there is room.
func (s *socket) MayHaveRoom() bool { return s.watcher.Fired() }

// SetDrained notes that the socket was read to its end.
func (s *socket) SetDrained() {
	s.mustRead = false
	s.watcher.Rearm()
}

// close closes the socket, which may go on sending for as long as linger says.
func (s *socket) close(linger time.Duration) error {
	return errors.Join(s.watcher.Close(), s.SetLinger(linger), s.Close())
}

// maxParts is how many frames are read at once. No message of the protocol has more than two.
const maxParts = 64

// errPartial says that a message has more than maxParts frames. The next call goes on in the
// middle of it.
var errPartial = errors.New("zgossip: a message of very many frames")

// receive reads one message, or maxParts of it, with a function that reads the frame with a
// number and tells whether another one follows. n is the number of frames that it had; those
// beyond parts are dropped.
func (s *socket) receive(parts [][]byte, read func(i int) (b []byte, more bool, err error)) (n int, err error) {
	if s.inside {
		parts, n = nil, maxParts
	}
	for range maxParts {
		b, more, err := read(n)
		if err != nil {
			return n, err
		}
		if n < len(parts) {
			parts[n] = b
		}
		n++
		if s.inside = more; !more {
			return n, nil
		}
	}
	return n, errPartial
}

// send gives the frames to libzmq, or none of them.
func (s *socket) send(frames ...[]byte) error {
	s.mustRead = true
	for i, f := range frames {
		flags := zmq.DONTWAIT
		if i < len(frames)-1 {
			flags |= zmq.SNDMORE
		}
		if _, err := s.SendBytes(f, flags); err != nil {
			return err
		}
	}
	return nil
}
