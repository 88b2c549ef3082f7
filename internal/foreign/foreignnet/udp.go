package foreignnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// datagram is a datagram and the host it came from.
type datagram struct {
	host string
	data []byte
}

// udpSocket hears and sends beacons.
type udpSocket struct {
	in   net.PacketConn
	out  net.Conn
	done chan struct{}
}

// openUDP listens for broadcasts, as libzyre does: on the broadcast address, so that
// nothing else is heard.
func openUDP(host, broadcast string, port int, hear func(datagram)) (*udpSocket, error) {
	to := net.JoinHostPort(broadcast, strconv.Itoa(port))
	lc := net.ListenConfig{Control: reuseAddr}
	in, err := lc.ListenPacket(context.Background(), "udp4", to)
	if err != nil {
		return nil, fmt.Errorf("foreignnet: listen for beacons: %w", err)
	}
	from := &net.UDPAddr{IP: net.ParseIP(host)}
	d := net.Dialer{LocalAddr: from}
	out, err := d.Dial("udp4", to)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("foreignnet: send beacons: %w", err), in.Close())
	}
	u := &udpSocket{in: in, out: out, done: make(chan struct{})}
	go u.listen(hear)
	return u, nil
}

// listen ends when the socket is closed.
func (u *udpSocket) listen(hear func(datagram)) {
	defer close(u.done)
	buf := make([]byte, 1<<16)
	for {
		n, from, err := u.in.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if udp, ok := from.(*net.UDPAddr); err == nil && ok {
			hear(datagram{udp.IP.String(), append([]byte(nil), buf[:n]...)})
		}
	}
}

func (u *udpSocket) send(b []byte) error {
	if _, err := u.out.Write(b); err != nil {
		return fmt.Errorf("foreignnet: send a datagram of %d bytes: %w", len(b), err)
	}
	return nil
}

func (u *udpSocket) close() error {
	err := errors.Join(u.in.Close(), u.out.Close())
	<-u.done
	return err
}

// Broadcast sends datagrams to all nodes on the loopback interface that have a UDP
// port, without a peer: forged beacons, for example. The kernel drops some of many
// that come at once.
func Broadcast(port int, datagrams ...[]byte) error {
	c, err := net.Dial("udp4", net.JoinHostPort(defaultBroadcast, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("foreignnet: %w", err)
	}
	defer c.Close()
	for _, d := range datagrams {
		if _, err := c.Write(d); err != nil {
			return fmt.Errorf("foreignnet: send a datagram of %d bytes: %w", len(d), err)
		}
	}
	return nil
}
