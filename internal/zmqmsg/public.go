package zmqmsg

import (
	"errors"
	"fmt"
	"strconv"

	zmq "github.com/pebbe/zmq4"

	_ "github.com/go-zyre/zyre/internal/libzmq" // says what to install if libzmq is missing
)

// publicSocket does what Socket does with what zmq4 exports: a call or more for each
// frame, and a new slice for each frame received.
type publicSocket struct {
	soc    *zmq.Socket
	users  bool    // ask for the User-Id of messages
	frames []Frame // the batch
	inside int     // frames of the present message so far
}

// fill is Socket.Fill. It stops where zyre_fill in C does.
func (p *publicSocket) fill(one, addresses bool) (messages int, more bool, err error) {
	clear(p.frames)
	p.frames = p.frames[:0]
	for bytes := 0; len(p.frames) < batchFrames && bytes < batchBytes && !(one && messages > 0); {
		f, err := p.receive(addresses)
		if err != nil {
			if len(p.frames) == 0 {
				return 0, false, err
			}
			return messages, !errors.Is(err, ErrAgain), nil
		}
		p.frames = append(p.frames, f)
		p.inside++
		if !f.More {
			p.inside = 0
			messages++
		}
		bytes += len(f.Data)
	}
	return messages, true, nil
}

// receive returns the next frame.
func (p *publicSocket) receive(addresses bool) (f Frame, err error) {
	err = retry(func() (err error) {
		if p.inside != 1 {
			f.Data, err = p.soc.RecvBytes(zmq.DONTWAIT)
			return err
		}
		var metadata map[string]string
		f.Data, metadata, err = p.soc.RecvBytesWithMetadata(zmq.DONTWAIT, userID, peerAddress, source)
		if p.users {
			f.User = metadata[userID]
		}
		if addresses || isHello(f.Data) {
			f.Address = metadata[peerAddress]
		}
		f.Source, _ = strconv.Atoi(metadata[source])
		return err
	})
	if err != nil {
		return Frame{}, err
	}
	f.More, err = p.soc.GetRcvmore()
	return f, publicProblem(err)
}

// By these properties libzmq tells who sent a message, from which host, and on which
// connection.
const (
	userID      = "User-Id"
	peerAddress = "Peer-Address"
	source      = "__fd"
)

// send is Socket.Send.
func (p *publicSocket) send(header []byte, frames [][]byte) error {
	return sendParts(header, frames, func(part []byte, first, more bool) error {
		flags := zmq.DONTWAIT
		if more {
			flags |= zmq.SNDMORE
		}
		queue := func() error {
			_, err := p.soc.SendBytes(part, flags)
			return err
		}
		err := retry(queue)
		if first && errors.Is(err, ErrAgain) && p.writable() {
			err = retry(queue)
		}
		return err
	})
}

// writable asks libzmq for room; see writable in C for why.
func (p *publicSocket) writable() bool {
	events, err := p.soc.GetEvents()
	return err == nil && events&zmq.POLLOUT != 0
}

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for {
		err := f()
		if err == nil || zmq.AsErrno(err) != interrupted {
			return publicProblem(err)
		}
	}
}

// publicProblem makes an error of zmq4 one of ours.
func publicProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zmq.ErrorSocketClosed):
		return ErrSocket
	case zmq.AsErrno(err) == again:
		return ErrAgain
	}
	return fmt.Errorf("zmqmsg: %w", err)
}

// isHello reports what is_hello does in C.
func isHello(header []byte) bool { return len(header) > 2 && header[2] == 1 }
