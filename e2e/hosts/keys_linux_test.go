package hosts

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/foreign"
)

// keys are those of a stranger that has some, in Z85.
type keys struct {
	Server         string // of the node
	Public, Secret string // its own
}

// hello adds to a HELLO what tells the key.
func (k keys) hello(m foreign.Message) foreign.Message {
	if k.Public != "" {
		m.Headers = append(m.Headers, foreign.Header{Key: "X-PUBLICKEY", Value: k.Public})
	}
	return m
}

// dealer makes a DEALER with a new UUID.
func (k keys) dealer(in *zmq.Context, endpoint string) (*zmq.Socket, error) {
	s, err := in.NewSocket(zmq.DEALER)
	if err != nil {
		return nil, err
	}
	identity := make([]byte, 17)
	_, _ = rand.Read(identity)
	identity[0] = 1
	err = errors.Join(s.SetLinger(0), s.SetIdentity(string(identity)))
	if k.Public != "" {
		err = errors.Join(err, s.ClientAuthCurve(k.Server, k.Public, k.Secret))
	}
	if err = errors.Join(err, s.Connect(endpoint)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sealed sends a message of so many empty frames by a socket that has keys, or all of it but the
// end: what the socket sends goes through a relay, which stops in time.
func (a *attack) sealed(count int, end bool, sent func(int) bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	in, err := zmq.NewContext()
	if err != nil {
		return err
	}
	defer func() { _ = in.Term() }()
	s, err := a.Keys.dealer(in, "tcp://"+l.Addr().String())
	if err != nil {
		return err
	}
	defer s.Close()
	down, err := l.Accept()
	if err != nil {
		return err
	}
	defer down.Close()
	up, err := net.Dial("tcp", strings.TrimPrefix(a.Endpoint, "tcp://"))
	if err != nil {
		return err
	}
	if end {
		defer up.Close()
	} else {
		a.kept <- up
	}
	err = errors.Join(down.SetDeadline(a.end), up.SetDeadline(a.end))
	go func() { _, _ = io.Copy(down, up) }() // ends with the connections
	if strings.Contains(a.Kind, "peers") {
		err = errors.Join(err, a.sayHello(s, up.LocalAddr().(*net.TCPAddr)))
	}
	for i := range count {
		frame := []byte(nil)
		if i == 0 {
			frame = whisperHeader
		}
		if err == nil && time.Now().Before(a.end) {
			_, err = s.SendBytes(frame, zmq.SNDMORE)
		}
	}
	const onWire, slack = 35, 64 << 10 // of an empty frame; the handshake is shorter than the slack
	if err == nil {
		_, err = s.SendBytes(nil, 0)
	}
	if err == nil {
		_, err = s.SendBytes(make([]byte, 2*slack), 0)
	}
	if err != nil {
		return err
	}
	if end {
		return relay(up, down, count*onWire+slack, sent)
	}
	return relay(up, down, count*onWire-slack, sent)
}

// sayHello has a socket say HELLO for a peer on a host.
func (a *attack) sayHello(s *zmq.Socket, at *net.TCPAddr) error {
	hello := a.Keys.hello(foreign.Message{ID: foreign.HelloID, Sequence: 1, Name: "x"})
	hello.Endpoint = fmt.Sprint("tcp://", at.IP, ":", 1+at.Port%30000)
	header, err := hello.Append(nil)
	if err == nil {
		_, err = s.SendBytes(header, 0)
	}
	return err
}

// relay passes so many bytes on.
func relay(up io.Writer, down io.Reader, count int, sent func(int) bool) error {
	chunk := make([]byte, 64<<10)
	for count > 0 {
		n, err := down.Read(chunk[:min(len(chunk), count)])
		if err == nil {
			n, err = up.Write(chunk[:n])
		}
		count -= n
		if !sent(n) || err != nil {
			return err
		}
	}
	return nil
}
