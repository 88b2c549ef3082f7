// Package zmqmsg moves whole messages between Go and a ZeroMQ socket with few
// calls into C: one for a message sent, one for many messages received.
//
// Package zmq4 makes several for each frame and allocates in most of them, which
// costs a node more than all that it does with a message itself.
package zmqmsg

/*
#cgo !windows pkg-config: libzmq
#cgo noescape zyre_send
#cgo noescape zyre_part
#cgo nocallback zyre_send
#cgo nocallback zyre_part
#cgo nocallback zyre_fill
#include <errno.h>
#include <stdlib.h>
#include "zmqmsg.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

var (
	// ErrAgain says that nothing was received, or that nothing was queued for
	// sending because there is no room.
	ErrAgain = errors.New("zmqmsg: try again")
	// ErrSocket says that the socket is closed.
	ErrSocket = errors.New("zmqmsg: no such socket")
)

// A batch is full when it has so many frames or bytes.
const (
	batchFrames = C.zyre_batch_frames
	batchBytes  = C.zyre_batch_bytes
)

// Error numbers of zmq4, as C has them.
const (
	again       = zmq.Errno(C.EAGAIN)
	interrupted = zmq.Errno(C.EINTR)
)

// Socket is a socket of zmq4 that sends and receives without blocking. It belongs,
// as that one does, to one goroutine.
type Socket struct {
	// soc is never used but has to be kept: zmq4 closes the C socket once nothing
	// refers to this one any more. The calls of runtime.KeepAlive see to it that the
	// reference is there until C returns.
	soc   *zmq.Socket
	raw   *C.zyre_socket // zmq4's C socket; nil after Free
	batch *C.zyre_batch  // frames received; nil before the first Fill
	next  int            // the frame that Next returns
	frame *Frame         // what it returned last; nil before the first Fill
	users C.int          // whether to ask for the User-Id of messages

	// Addresses asks for the host that every message came from, not only a HELLO.
	Addresses bool

	public *publicSocket // if not nil, it is used instead of all above but next
}

// Of makes a Socket of soc. Free has to be called before soc is closed. With users
// set Frame.User is filled in.
func Of(soc *zmq.Socket, users bool) (*Socket, error) {
	// zmq4 exports no way to its C socket. In all its releases the field has this name.
	field := reflect.ValueOf(soc).Elem().FieldByName("soc")
	switch {
	case field.Kind() != reflect.UnsafePointer:
		return OfPublic(soc, users)
	case field.IsNil():
		return nil, ErrSocket
	}
	return &Socket{soc: soc, raw: (*C.zyre_socket)(field.UnsafePointer()), users: flag(users)}, nil
}

// OfPublic is as Of, but the Socket uses only what zmq4 exports. That is slower, and
// works with every release of zmq4. Of falls back on it; tests call it to try both.
func OfPublic(soc *zmq.Socket, users bool) (*Socket, error) {
	if _, err := soc.GetType(); err != nil {
		return nil, publicProblem(err)
	}
	return &Socket{public: &publicSocket{soc: soc, users: users}}, nil
}

// Free drops what was received and not read. It does not close the socket of zmq4,
// but nothing works on this one any more. A second Free does nothing.
func (s *Socket) Free() {
	if s.batch != nil {
		C.zyre_free(s.batch)
	}
	*s = Socket{}
}

// Frame is one frame of a message.
type Frame struct {
	Data []byte // valid until the next Fill or Free
	More bool   // another frame of the same message follows
	User string // the sender's User-Id, in the second frame of a message under CURVE

	// Address is the IP address that a message came from, in the second frame of a HELLO, and
	// of each message while Addresses is set; empty over inproc. Over ipc it is what the
	// system tells of the process, if it does: localhost:UID:GID:PID.
	Address string

	// Source is the descriptor of the TCP connection that brought it, in the second frame of
	// a message; 0 if that is not known. It may be closed already, or another one. In a further
	// frame it is 0, or tells it again, perhaps better: see source in zmqmsg.c.
	Source int
}

// Fill asks libzmq for what it has: one message, or as many as fit in the batch. It
// drops frames that Next has not returned. messages is how many end in the batch,
// more whether it was full and there may be others.
func (s *Socket) Fill(one bool) (messages int, more bool, err error) {
	if s.public != nil {
		s.next = 0
		return s.public.fill(one, s.Addresses)
	}
	if s.raw == nil {
		return 0, false, ErrSocket
	}
	if s.batch == nil {
		s.batch = (*C.zyre_batch)(C.calloc(1, C.sizeof_zyre_batch)) // never nil, says cgo
		s.frame = &Frame{}
	}
	s.next = 0
	C.zyre_fill(s.raw, s.batch, flag(one), s.users, flag(s.Addresses))
	runtime.KeepAlive(s)
	if s.batch.count == 0 {
		return 0, false, problem(s.batch.err)
	}
	return int(s.batch.messages), s.batch.err != C.EAGAIN, nil
}

// Ready reports whether Next has a frame.
func (s *Socket) Ready() bool {
	if s.public != nil {
		return s.next < len(s.public.frames)
	}
	return s.batch != nil && s.next < int(s.batch.count)
}

// Next returns the next frame of the batch; there must be one. It is valid until the next
// Next.
func (s *Socket) Next() *Frame {
	s.next++
	if s.public != nil {
		return &s.public.frames[s.next-1]
	}
	f, frame := &s.batch.frame[s.next-1], s.frame
	frame.Data, frame.More, frame.Source = unsafe.Slice((*byte)(f.data), int(f.size)), f.more != 0, max(0, int(f.source))
	if frame.User != "" || f.user != nil {
		frame.User = C.GoString(f.user)
	}
	if frame.Address != "" || f.address != nil {
		frame.Address = C.GoString(f.address)
	}
	return frame
}

// Send queues a message, a header and any number of frames, or nothing of it.
func (s *Socket) Send(header []byte, frames [][]byte) error {
	if s.public != nil {
		return s.public.send(header, frames)
	}
	if s.raw == nil {
		return ErrSocket
	}
	defer runtime.KeepAlive(s)
	if len(frames) < 2 {
		var frame []byte
		if len(frames) == 1 {
			frame = frames[0]
		}
		return problem(C.zyre_send(s.raw, pointer(header), C.size_t(len(header)),
			pointer(frame), C.size_t(len(frame)), C.int(len(frames))))
	}
	return sendParts(header, frames, func(part []byte, first, more bool) error {
		return problem(C.zyre_part(s.raw, pointer(part), C.size_t(len(part)), flag(first), flag(more)))
	})
}

// sendParts queues the parts of a message one after the other.
func sendParts(header []byte, frames [][]byte, queue func(part []byte, first, more bool) error) error {
	if err := queue(header, true, len(frames) > 0); err != nil {
		return err
	}
	var refused error
	for i, frame := range frames {
		// A refusal in the middle means that libzmq has taken back the first parts
		// and swallows the rest up to the last: give it the rest, or it would
		// swallow the next message.
		err := queue(frame, false, i < len(frames)-1)
		if refused == nil {
			refused = err
		}
	}
	return refused
}

// pointer is where the bytes are, as C wants it; nil if there are none.
func pointer(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }

func flag(set bool) C.int {
	if set {
		return 1
	}
	return 0
}

func problem(errno C.int) error {
	switch errno {
	case 0:
		return nil
	case C.EAGAIN:
		return ErrAgain
	}
	return fmt.Errorf("zmqmsg: %w", zmq.Errno(errno))
}
