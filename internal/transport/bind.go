package transport

import (
	"strings"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// Bind has a socket listen at an endpoint that CheckBindEndpoint has passed, and returns
// the endpoint with its port resolved. An endpoint in use gives zmq4.EADDRINUSE, of ipc
// too. With dualStack * stands for all IPv6 addresses as well.
func Bind(soc *zmq.Socket, endpoint string, dualStack bool) (bound string, err error) {
	if !zmqwait.HaveDescriptors(descriptorReserve) {
		return "", ErrNoDescriptors
	}
	// An IPv6 socket would report an IPv4 address in its mapped form.
	v6 := strings.HasPrefix(endpoint, "tcp://[") || dualStack && strings.HasPrefix(endpoint, "tcp://*")
	if err := soc.SetIpv6(v6); err != nil {
		return "", err
	}
	if path, ok := strings.CutPrefix(endpoint, "ipc://"); ok {
		release, err := claimPath(path)
		if err != nil {
			return "", err
		}
		defer release()
	}
	if hostPort, ok := strings.CutPrefix(endpoint, "tcp://"); ok && !strings.HasPrefix(hostPort, "*") {
		return listenTCP(soc, hostPort)
	}
	return bindAsIs(soc, endpoint)
}

// bindAsIs leaves it to libzmq what to do about an endpoint.
func bindAsIs(soc *zmq.Socket, endpoint string) (bound string, err error) {
	if err := soc.Bind(endpoint); err != nil {
		return "", explainBind(err)
	}
	return lastEndpoint(soc)
}

func lastEndpoint(soc *zmq.Socket) (string, error) {
	bound, err := soc.GetLastEndpoint()
	return strings.TrimRight(bound, "\x00"), err
}
