package zyre

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// wrong is an ErrInvalid that says what would be right.
type wrong string

func (w wrong) Error() string        { return string(w) }
func (w wrong) Is(target error) bool { return target == ErrInvalid }

// tooLong is an ErrTooLong for a name of a node, header or group.
func tooLong(name string) error {
	if len(name) > maxString {
		return ErrTooLong
	}
	return nil
}

// change is what a setter does: op on value, unless err says what is wrong with it.
type change struct {
	op, value string
	err       error
	apply     func(c *config)
}

// set changes what the next Start takes. A running node refuses it: it would not act.
func (z *Zyre) set(ch change) *Zyre {
	z.lock()
	defer z.mu.Unlock()
	if z.node.Load() != nil {
		z.cfg.logger.Warn("not set: the node is running", "setting", strings.TrimPrefix(ch.op, "set "), "value", shown(ch.value))
		return z
	}
	if ch.err != nil {
		z.cfg.bad[ch.op] = opError(ch.op, ch.value, ch.err)
		return z
	}
	delete(z.cfg.bad, ch.op)
	ch.apply(z.cfg)
	return z
}

// setLive changes what a running node follows too, and reports whether it did. The caller
// then tells the node.
func (z *Zyre) setLive(ch change) bool {
	z.lock()
	defer z.mu.Unlock()
	switch running := z.node.Load() != nil; {
	case ch.err == nil:
		delete(z.cfg.bad, ch.op)
		ch.apply(z.cfg)
	case running:
		z.cfg.logger.Warn("not set", "setting", strings.TrimPrefix(ch.op, "set "), "err", opError(ch.op, ch.value, ch.err))
	default:
		z.cfg.bad[ch.op] = opError(ch.op, ch.value, ch.err)
	}
	return ch.err == nil
}

// complete fills in what follows from other settings, and returns what makes no sense.
func (c *config) complete() error {
	var errs []error
	for _, op := range slices.Sorted(maps.Keys(c.bad)) {
		errs = append(errs, c.bad[op])
	}
	c.completeTimeouts()
	if c.evasive >= c.expired {
		errs = append(errs, opError("set evasive timeout", c.evasive.String(),
			wrong(fmt.Sprintf("must be less than the expired timeout, %v", c.expired))))
	}
	if !c.curve.enabled() {
		if c.curve.restricted {
			errs = append(errs, opError("set authorized keys", "", errNoCertificate))
		}
		return errors.Join(errs...)
	}
	if strings.HasPrefix(c.endpoint, "inproc:") {
		errs = append(errs, opError("set endpoint", c.endpoint, wrong("must be tcp or ipc with a certificate: CURVE needs it")))
	}
	for _, r := range c.required {
		if r.key == "" {
			errs = append(errs, opError("require peer", r.endpoint, errNoPeerKey))
		}
	}
	return errors.Join(errs...)
}

// What is wrong with arguments, and what would be right.
var (
	errNoUUID              = fmt.Errorf("%w: a UUID has 32 hexadecimal digits", ErrUnknownPeer)
	errPeerEndpoint  error = wrong("must be tcp://address:port, ipc://path or inproc://name")
	errOwnEndpoint   error = wrong("must be tcp://address:port, where the port * takes a free one, ipc://path or inproc://name")
	errHelloTooLarge error = wrong(fmt.Sprintf("headers and groups must have %d bytes or less together, or peers refuse this node", maxOwnHello))
	errNoCertificate error = wrong("needs a certificate: call SetZCert")
	errNoPeerKey     error = wrong("the peer's public key is missing, which a node with a certificate needs")
)

// completeTimeouts makes the timeouts that were not set shorter where the expired
// timeout is shorter than they are by default.
func (c *config) completeTimeouts() {
	if !c.evasiveSet && c.evasive >= c.expired {
		c.evasive = c.expired / 3
	}
	if !c.silentSet && c.silent >= c.expired {
		c.silent = c.expired * 2 / 3
	}
}

// checkMemory returns an error unless value is a number of bytes that is enough.
func checkMemory(bytes, least int) error {
	if bytes < least {
		return wrong(fmt.Sprintf("must be %d or more", least))
	}
	return nil
}

// checkRange returns an error unless value is within bounds, both included.
func checkRange(value, least, most int) error {
	if value < least || value > most {
		return wrong(fmt.Sprintf("must be %d to %d", least, most))
	}
	return nil
}

func checkLeast(d, least time.Duration) error {
	if d < least {
		return wrong(fmt.Sprintf("must be %v or more", least))
	}
	return nil
}

// checkInterface returns an error for a list with what can be no interface.
func checkInterface(list string) error {
	if list == "" {
		return nil
	}
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "" || one == netif.All && list != netif.All {
			return wrong(`must be a name or address, several with commas between them, or "*" for all`)
		}
	}
	return nil
}

// checkPeerEndpoint returns an error unless peers can connect to an endpoint.
func checkPeerEndpoint(endpoint string) error {
	_, err := transport.ParseEndpoint(endpoint)
	if err == nil || errors.Is(err, transport.ErrNeedsLookup) {
		return nil
	}
	return errPeerEndpoint
}

// checkAdvertised returns an error unless peers can connect to an endpoint, wherever they are.
func checkAdvertised(endpoint string) error {
	at, err := transport.ParseEndpoint(endpoint)
	if err == nil && at.IsValid() && at.Addr().IsUnspecified() {
		return wrong("must have an address that others can connect to")
	}
	return checkPeerEndpoint(endpoint)
}

// checkOwnEndpoint returns an error unless a node can be bound to an endpoint.
func checkOwnEndpoint(endpoint string) error {
	if transport.CheckBindEndpoint(endpoint) == nil && !strings.Contains(endpoint, "\x00") {
		return nil
	}
	return errOwnEndpoint
}

// checkPublicKey returns an error unless key is a public key or, if that is allowed,
// empty. It does not show the key, for it may be a secret one.
func checkPublicKey(key string, orEmpty bool) error {
	if _, ok := transport.RawFromZ85(key); ok || orEmpty && key == "" {
		return nil
	}
	return wrong("the public key must be 40 characters of Z85")
}
