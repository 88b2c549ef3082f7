//go:build !linux

package transport

import zmq "github.com/pebbe/zmq4"

// CheckNetlink finds nothing wrong here: only Linux has netlink.
func CheckNetlink() error { return nil }

// listenTCP has a socket listen at host:port.
func listenTCP(soc *zmq.Socket, hostPort string) (bound string, err error) {
	return bindAsIs(soc, "tcp://"+hostPort)
}
