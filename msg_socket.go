package zyre

import (
	"errors"
	"fmt"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// Recv reads one message from socket, waiting for it as long as the socket's
// receive timeout says. From a ROUTER the routing id comes first and is kept, so
// that a received message can be sent back. Every frame of the message is read in
// any case, so after a message that is not proper ZRE the next Recv starts at the
// next message. Frames that do not belong to the command are dropped.
//
// An error tells either that the socket failed (it is nil, closed, or zmq4's error
// is in the chain) or that the message was not proper ZRE. Recv uses the socket,
// so it belongs to the goroutine that owns the socket. It is for programs that speak ZRE by
// themselves.
func Recv(socket *zmq.Socket) (*ZreMsg, error) {
	m, err := recvMsg(socket)
	if err != nil {
		return nil, fmt.Errorf("zyre: receive message: %w", err)
	}
	return m, nil
}

func recvMsg(socket *zmq.Socket) (*ZreMsg, error) {
	if socket == nil {
		return nil, errNilSocket
	}
	kind, err := socket.GetType()
	if err != nil {
		return nil, err
	}
	frame, more, err := recvFrame(socket)
	if err != nil {
		return nil, err
	}
	var routing []byte
	if kind == zmq.ROUTER {
		if routing = frame; !more {
			return nil, errMalformed
		}
		if frame, more, err = recvFrame(socket); err != nil {
			return nil, err
		}
	}
	var v zreView
	bad := v.parse(frame)
	keep := bad == nil && (v.id == WhisperID || v.id == ShoutID)
	var frames [][]byte
	for more {
		if frame, more, err = recvFrame(socket); err != nil {
			return nil, err
		}
		if keep {
			frames = append(frames, frame)
		}
	}
	if bad != nil {
		return nil, bad
	}
	m := v.message()
	m.routing, m.Frames = routing, frames
	if len(frames) > 0 {
		m.Content = frames[0]
	}
	return m, nil
}

// recvFrame reads one frame and tells if more of the same message follow. A signal
// must not end it: half a message read puts the socket out of step.
func recvFrame(socket *zmq.Socket) (frame []byte, more bool, err error) {
	for {
		frame, err = socket.RecvBytes(0)
		if !errors.Is(err, zmq.Errno(syscall.EINTR)) {
			break
		}
	}
	if err != nil {
		return nil, false, err
	}
	more, err = socket.GetRcvmore()
	return frame, more, err
}

// Send writes msg to socket, waiting for room as long as the socket's send timeout
// says. To a ROUTER the routing id that msg was received with goes first. A WHISPER
// or SHOUT has at least one content frame, an empty one if it was given none: without,
// libzyre would take what comes next for its content. A message that cannot be encoded,
// because a string is too long or its id is unknown, is an error before anything is sent.
//
// Send never changes msg, its sequence number included. It uses the socket, so it
// belongs to the goroutine that owns the socket. It is for programs that speak ZRE by
// themselves.
func Send(socket *zmq.Socket, msg *ZreMsg) error {
	if err := sendMsg(socket, msg); err != nil {
		return fmt.Errorf("zyre: send message: %w", err)
	}
	return nil
}

func sendMsg(socket *zmq.Socket, m *ZreMsg) error {
	if socket == nil {
		return errNilSocket
	}
	if m == nil {
		return errNilMessage
	}
	header, err := m.append(nil)
	if err != nil {
		return err
	}
	kind, err := socket.GetType()
	if err != nil {
		return err
	}
	var frames [][]byte
	if kind == zmq.ROUTER {
		if len(m.routing) == 0 {
			return errNoRouting
		}
		frames = append(frames, m.routing)
	}
	frames = append(append(frames, header), m.content()...)
	for i, frame := range frames {
		if err := sendFrame(socket, frame, i < len(frames)-1); err != nil {
			return err
		}
	}
	return nil
}

// sendFrame writes one frame. A signal must not end it: half a message written
// would swallow the next one.
func sendFrame(socket *zmq.Socket, frame []byte, more bool) error {
	var flags zmq.Flag
	if more {
		flags = zmq.SNDMORE
	}
	for {
		_, err := socket.SendBytes(frame, flags)
		if !errors.Is(err, zmq.Errno(syscall.EINTR)) {
			return err
		}
	}
}
