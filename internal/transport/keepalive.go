package transport

import (
	"errors"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// Of a connection on which nothing is sent TCP does not find out that the other host is
// gone: it lost its power, or its address. So an idle connection is probed after
// keepaliveIdle, every keepaliveInterval, and ends when keepaliveProbes went unanswered:
// a minute after the host vanished.
const (
	keepaliveIdle     = 30 * time.Second
	keepaliveInterval = 10 * time.Second
	keepaliveProbes   = 3
)

// keepalive is how our sockets probe but for mailboxes.
func keepalive() tcpinfo.Keepalive {
	return tcpinfo.Keepalive{Idle: keepaliveIdle, Interval: keepaliveInterval, Probes: keepaliveProbes}
}

// mailboxKeepalive is how mailboxes probe. By these times, which nobody else will have chosen,
// their connections are told from all others of the process to the same address.
func mailboxKeepalive() tcpinfo.Keepalive {
	k := keepalive()
	k.Idle -= time.Second
	k.Interval += time.Second
	return k
}

// SetKeepalive has the connections of a socket end when the other host has vanished.
func SetKeepalive(soc *zmq.Socket) error { return setKeepalive(soc, keepalive()) }

func setKeepalive(soc *zmq.Socket, k tcpinfo.Keepalive) error {
	return errors.Join(
		soc.SetTcpKeepalive(1),
		soc.SetTcpKeepaliveIdle(int(k.Idle/time.Second)),
		soc.SetTcpKeepaliveIntvl(int(k.Interval/time.Second)),
		soc.SetTcpKeepaliveCnt(k.Probes),
	)
}
