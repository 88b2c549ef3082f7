package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// Why an endpoint is refused.
var (
	ErrBadEndpoint = errors.New("zyre: bad endpoint")
	// ErrNeedsLookup marks a well-formed tcp endpoint with a host name. libzmq
	// would look the name up in its only I/O thread, so that every node of the
	// process would stand still for as long as the resolver takes.
	ErrNeedsLookup = errors.New("zyre: endpoint has a host name instead of an address")
)

const maxEndpoint = 255 // a ZRE string carries no more

// CheckEndpoint reports whether a mailbox may connect to s:
//
//	tcp://192.0.2.1:5670   tcp://[2001:db8::1]:5670   tcp://[fe80::1%eth0]:5670
//	ipc://path             inproc://name
//
// A host name instead of the address gives ErrNeedsLookup, everything else
// ErrBadEndpoint. s may come from the network.
func CheckEndpoint(s string) error {
	_, err := ParseEndpoint(s)
	return err
}

// ParseEndpoint checks s as CheckEndpoint does and returns the address of a tcp
// endpoint; for ipc and inproc it is the zero AddrPort.
func ParseEndpoint(s string) (netip.AddrPort, error) {
	var none netip.AddrPort
	if len(s) > maxEndpoint {
		return none, fmt.Errorf("%w: %d bytes", ErrBadEndpoint, len(s))
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return none, fmt.Errorf("%w: %q", ErrBadEndpoint, s)
		}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || rest == "" {
		return none, fmt.Errorf("%w: %q", ErrBadEndpoint, s)
	}
	switch scheme {
	case "ipc", "inproc":
		// libzmq reads * as "choose a name", which only a listener may ask for.
		if rest == "*" {
			return none, fmt.Errorf("%w: %q", ErrBadEndpoint, s)
		}
		return none, nil
	case "tcp":
		addr, err := parseHostPort(rest)
		if err != nil {
			return none, fmt.Errorf("%w: %q", err, s)
		}
		return addr, nil
	}
	return none, fmt.Errorf("%w: %q", ErrBadEndpoint, s)
}

// CheckBindEndpoint refuses what libzmq would misread in an endpoint to listen
// at: it takes a port modulo 65536. * means any address or any free port.
func CheckBindEndpoint(s string) error {
	rest, ok := strings.CutPrefix(s, "tcp://")
	if !ok {
		_, err := ParseEndpoint(s)
		return err
	}
	colon := strings.LastIndexByte(rest, ':')
	port := rest[colon+1:]
	if _, err := strconv.ParseUint(port, 10, 16); colon < 1 || err != nil && port != "*" {
		return fmt.Errorf("%w: %q", ErrBadEndpoint, s)
	}
	return nil
}

// explainBind says what "no such device" means in an error of libzmq's Bind.
func explainBind(err error) error {
	if zmq.AsErrno(err) == zmq.Errno(syscall.ENODEV) {
		return fmt.Errorf("%w: the host must be an address, or an interface's name; for localhost write 127.0.0.1", err)
	}
	return err
}

func parseHostPort(s string) (netip.AddrPort, error) {
	var none netip.AddrPort
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return none, ErrBadEndpoint
	}
	host, digits := s[:colon], s[colon+1:]
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || digits[0] == '+' {
		return none, ErrBadEndpoint
	}
	bracketed := len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']'
	if bracketed {
		host = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Is6() == bracketed:
		// Nobody can listen at an address of a group.
		if addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || !zoneOK(addr.Zone()) {
			return none, ErrBadEndpoint
		}
		return netip.AddrPortFrom(addr, uint16(port)), nil
	case !bracketed && isHostName(host):
		return none, ErrNeedsLookup
	}
	return none, ErrBadEndpoint
}

// zoneOK reports whether zone, the part after % in an IPv6 address, can be the
// name or number of an interface: the kernel takes up to 15 bytes.
func zoneOK(zone string) bool {
	return len(zone) <= 15 && !strings.ContainsAny(zone, "%[]/;:")
}

// isHostName reports whether s is a DNS name. A name whose last label is a number is not:
// the C library reads "1.2.3" and "1.0x7f" as addresses. The name of a container, such as
// "3f2a9c1b7d4e", is one.
func isHostName(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c >= 0x80:
			default:
				return false
			}
		}
	}
	return !isNumber(labels[len(labels)-1])
}

// isNumber reports whether the C library reads a label as a number: decimal or octal, or
// hexadecimal after 0x.
func isNumber(label string) bool {
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		label, digits = rest, "0123456789abcdef"
	}
	return strings.Trim(strings.ToLower(label), digits) == ""
}

// IsLocal reports whether only this host can reach an endpoint to listen at or connect to.
func IsLocal(s string) bool {
	rest, tcp := strings.CutPrefix(s, "tcp://")
	if !tcp {
		return s != "" // ipc or inproc
	}
	host, _, _ := net.SplitHostPort(rest)
	addr, _ := netip.ParseAddr(host)
	return host == "localhost" || addr.IsLoopback()
}

// numericEndpoint puts an address in place of the host name of a tcp endpoint.
func numericEndpoint(endpoint, addr string) string {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	return "tcp://" + net.JoinHostPort(addr, port)
}
