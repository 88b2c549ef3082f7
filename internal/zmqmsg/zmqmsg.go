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
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

var (
	// ErrAgain says that nothing was received, or that nothing was queued for
	// sending because there is no room.
	ErrAgain = errors.New("zmqmsg: try again")
	// ErrSocket says that the socket is closed.
	ErrSocket = errors.New("zmqmsg: no such socket")
	// ErrVersion says that zmq4 keeps its C socket in a way this package does not know.
	ErrVersion = errors.New("zmqmsg: unknown release of zmq4; v1.4.0 works")
)

// Socket is a socket of zmq4 that sends and receives without blocking. It belongs,
// as that one does, to one goroutine.
type Socket struct {
	raw   *C.zyre_socket // zmq4's C socket; nil after Free
	batch *C.zyre_batch  // frames received; nil before the first Fill
	next  int            // the frame that Next returns
	users C.int          // whether to ask for the User-Id of messages
}

// Of makes a Socket of soc. Free has to be called before soc is closed. With users
// set Frame.User is filled in.
func Of(soc *zmq.Socket, users bool) (*Socket, error) {
	// zmq4 exports no way to its C socket. In all its releases the field has this name.
	field := reflect.ValueOf(soc).Elem().FieldByName("soc")
	switch {
	case field.Kind() != reflect.UnsafePointer:
		return nil, ErrVersion
	case field.IsNil():
		return nil, ErrSocket
	}
	s := &Socket{raw: (*C.zyre_socket)(field.UnsafePointer())}
	if users {
		s.users = 1
	}
	return s, nil
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
}

// Fill asks libzmq for what it has: one message, or as many as fit in the batch. It
// drops frames that Next has not returned. messages is how many end in the batch,
// more whether it was full and there may be others.
func (s *Socket) Fill(one bool) (messages int, more bool, err error) {
	if s.raw == nil {
		return 0, false, ErrSocket
	}
	if s.batch == nil {
		s.batch = (*C.zyre_batch)(C.calloc(1, C.sizeof_zyre_batch)) // never nil, says cgo
	}
	s.next = 0
	var single C.int
	if one {
		single = 1
	}
	C.zyre_fill(s.raw, s.batch, single, s.users)
	if s.batch.count == 0 {
		return 0, false, problem(s.batch.err)
	}
	return int(s.batch.messages), s.batch.err != C.EAGAIN, nil
}

// Ready says whether Next has a frame.
func (s *Socket) Ready() bool { return s.batch != nil && s.next < int(s.batch.count) }

// Next returns the next frame of the batch; there must be one.
func (s *Socket) Next() Frame {
	f := &s.batch.frame[s.next]
	s.next++
	frame := Frame{Data: unsafe.Slice((*byte)(f.data), int(f.size)), More: f.more != 0}
	if f.user != nil {
		frame.User = C.GoString(f.user)
	}
	return frame
}

// Send queues a message, a header and any number of frames, or nothing of it.
func (s *Socket) Send(header []byte, frames [][]byte) error {
	if s.raw == nil {
		return ErrSocket
	}
	if len(frames) < 2 {
		var frame []byte
		if len(frames) == 1 {
			frame = frames[0]
		}
		return problem(C.zyre_send(s.raw, pointer(header), C.size_t(len(header)),
			pointer(frame), C.size_t(len(frame)), C.int(len(frames))))
	}
	refused := C.zyre_part(s.raw, pointer(header), C.size_t(len(header)), 1, 1)
	if refused != 0 {
		return problem(refused)
	}
	for i, frame := range frames {
		more := C.int(1)
		if i == len(frames)-1 {
			more = 0
		}
		// A refusal in the middle means that libzmq has taken back the first parts
		// and swallows the rest up to the last: give it the rest, or it would
		// swallow the next message.
		err := C.zyre_part(s.raw, pointer(frame), C.size_t(len(frame)), 0, more)
		if refused == 0 {
			refused = err
		}
	}
	return problem(refused)
}

// pointer is where the bytes are, as C wants it; nil if there are none.
func pointer(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }

func problem(errno C.int) error {
	switch errno {
	case 0:
		return nil
	case C.EAGAIN:
		return ErrAgain
	}
	return fmt.Errorf("zmqmsg: %w", zmq.Errno(errno))
}
