package transport

import (
	"errors"
	"time"

	zmq "github.com/pebbe/zmq4"
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

// SetKeepalive has the connections of a socket end when the other host has vanished.
func SetKeepalive(soc *zmq.Socket) error {
	return errors.Join(
		soc.SetTcpKeepalive(1),
		soc.SetTcpKeepaliveIdle(int(keepaliveIdle/time.Second)),
		soc.SetTcpKeepaliveIntvl(int(keepaliveInterval/time.Second)),
		soc.SetTcpKeepaliveCnt(keepaliveProbes),
	)
}
