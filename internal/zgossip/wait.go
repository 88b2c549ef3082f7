//go:build unix

package zgossip

import (
	"fmt"
	"os"
	"sync/atomic"

	zmq "github.com/pebbe/zmq4"
	"golang.org/x/sys/unix"
)

// waiter parks a socket's ZMQ_FD in Go's netpoller and says on wake that the
// socket may have something. After that it rests until rearm.
type waiter struct {
	file  *os.File
	fired atomic.Bool
	ack   chan struct{}
	done  chan struct{}
}

func newWaiter(soc *zmq.Socket, wake chan<- struct{}) (*waiter, error) {
	fd, err := soc.GetFd()
	if err != nil {
		return nil, fmt.Errorf("zgossip: socket descriptor: %w", err)
	}
	// A dup, because os.File closes what it is given and libzmq owns the other.
	// It shares O_NONBLOCK with it, which libzmq has set.
	if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("zgossip: dup of socket descriptor: %w", err)
	}
	w := &waiter{
		file: os.NewFile(uintptr(fd), "zgossip"),
		ack:  make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("zgossip: socket descriptor: %w", err)
	}
	go func() {
		defer close(w.done)
		for raw.Read(readable) == nil {
			w.fired.Store(true)
			kick(wake)
			if _, ok := <-w.ack; !ok {
				return
			}
		}
	}()
	return w, nil
}

// readable asks the descriptor itself: the netpoller is edge-triggered, and
// the edge may have come before we waited for it.
func readable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n > 0 || err != nil
		}
	}
}

// rearm is called when the socket has been read until EAGAIN.
func (w *waiter) rearm() {
	if w.fired.Swap(false) {
		w.ack <- struct{}{}
	}
}

// close ends the goroutine and waits for it; to be called before the socket's.
func (w *waiter) close() {
	w.file.Close()
	close(w.ack)
	<-w.done
}
