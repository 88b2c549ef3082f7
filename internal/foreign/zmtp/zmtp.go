// Package zmtp makes connections that speak the protocol of ZeroMQ without libzmq, for tests:
// they can send what no socket would.
package zmtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// patience is how long to wait for what must happen.
const patience = 20 * time.Second

// Raw is a connection on which anything can be sent.
type Raw struct{ net.Conn }

// Dial connects to a tcp endpoint as a DEALER with a routing id, and shakes hands without
// keys.
func Dial(endpoint string, identity []byte) (Raw, error) {
	return DialFrom(netip.Addr{}, endpoint, identity)
}

// DialFrom is Dial from an address of this host; any if it is invalid.
func DialFrom(from netip.Addr, endpoint string, identity []byte) (Raw, error) {
	r, err := dialGreeting(from, endpoint, "NULL")
	if err != nil {
		return r, err
	}
	ready := append([]byte("\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity"), binary.BigEndian.AppendUint32(nil, uint32(len(identity)))...)
	ready = append(ready, identity...)
	if _, err = r.Write(appendCommand(nil, ready)); err == nil {
		_, err = io.ReadFull(r, make([]byte, 2+10)) // the beginning of its READY
	}
	if err != nil {
		return r, errors.Join(fmt.Errorf("shake hands: %w", err), r.Close())
	}
	return r, nil
}

// DialGreeting connects and exchanges greetings, with a mechanism such as CURVE. What
// follows would be the handshake.
func DialGreeting(endpoint, mechanism string) (Raw, error) {
	return dialGreeting(netip.Addr{}, endpoint, mechanism)
}

func dialGreeting(from netip.Addr, endpoint, mechanism string) (Raw, error) {
	dialer := net.Dialer{Timeout: patience}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	c, err := dialer.Dial("tcp", strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		return Raw{}, err
	}
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00"+mechanism)
	_, err = c.Write(greeting)
	if err == nil {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err = io.ReadFull(c, make([]byte, 64))
	}
	if err != nil {
		return Raw{}, errors.Join(fmt.Errorf("exchange greetings: %w", err), c.Close())
	}
	return Raw{c}, nil
}

// DialOld connects as a DEALER with a routing id by version 2 of the protocol, which libzmq 3
// spoke, and NetMQ and JeroMQ for longer. Frames have the form that version 3 gives them.
func DialOld(endpoint string, identity []byte) (Raw, error) {
	dialer := net.Dialer{Timeout: patience}
	c, err := dialer.Dial("tcp", strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		return Raw{}, err
	}
	const dealer = "\x05"
	greeting := []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01" + dealer)
	if _, err = c.Write(AppendFrame(greeting, identity, false)); err != nil {
		return Raw{}, errors.Join(err, c.Close())
	}
	return Raw{c}, nil
}

// AppendFrame adds a frame with its length; more says that another of the same message
// follows.
func AppendFrame(b, data []byte, more bool) []byte {
	return append(AppendClaim(b, uint64(len(data)), more), data...)
}

// AppendClaim adds the head of a frame of a size, without the content.
func AppendClaim(b []byte, size uint64, more bool) []byte {
	flags := byte(0)
	if more {
		flags = 1
	}
	if size < 256 {
		return append(b, flags, byte(size))
	}
	return binary.BigEndian.AppendUint64(append(b, flags|2), size)
}

// appendCommand adds a command, which has the form of a frame.
func appendCommand(b, data []byte) []byte {
	const command = 4
	begin := len(b)
	b = AppendFrame(b, data, false)
	b[begin] |= command
	return b
}

// Ended waits for the other side to end the connection, and reports whether it did in time.
func (r Raw) Ended(within time.Duration) bool {
	_ = r.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, r)
	var timeout net.Error
	return err == nil || !errors.As(err, &timeout) || !timeout.Timeout()
}

// Accept shakes hands without keys on a connection that a DEALER has made, as a ROUTER would.
func Accept(c net.Conn) (Raw, error) {
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL")
	ready := "\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00"
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := c.Write(append(append(greeting, 4, byte(len(ready))), ready...))
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 64+2+10)) // and the beginning of its READY
	}
	if err != nil {
		return Raw{}, errors.Join(fmt.Errorf("shake hands: %w", err), c.Close())
	}
	return Raw{c}, nil
}
