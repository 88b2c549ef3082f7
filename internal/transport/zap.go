package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

// zapEndpoint is where libzmq asks about clients (ZeroMQ RFC 27). It exists once
// in a context, so all nodes of the process share one responder.
const zapEndpoint = "inproc://zeromq.zap.01"

const errnoAgain = zmq.Errno(syscall.EAGAIN)

// MaxZapDomain is the most bytes of a ZAP domain. It leaves room for the suffix that register adds; libzmq takes 255.
const MaxZapDomain = 200

// A zapEntry is the policy of one listener.
type zapEntry struct {
	domain string // as the user knows it
	policy *Policy
}

// zapResponder answers libzmq's questions about CURVE clients, in one goroutine
// that lives from the first registered listener to the last. The zero value is
// ready for use.
type zapResponder struct {
	lifecycle sync.Mutex // held while the goroutine is started or ended

	mu      sync.Mutex // guards the fields below
	entries map[string]zapEntry
	serial  uint64

	// guarded by lifecycle
	waiter *zmqwait.Waiter
	quit   chan struct{} // closed to end the goroutine
	done   chan error    // what the goroutine's end gave
}

// register adds a listener's policy and returns the ZAP domain that its socket
// must carry. The domain is unique: two nodes may use one name with different
// policies, and only the domain tells libzmq's questions apart. It never goes on
// the wire. A nil policy lets every client in.
func (z *zapResponder) register(ctx *zmq.Context, domain string, policy *Policy) (string, error) {
	if len(domain) > MaxZapDomain {
		return "", fmt.Errorf("zyre: ZAP domain of %d bytes, at most %d", len(domain), MaxZapDomain)
	}
	z.lifecycle.Lock()
	defer z.lifecycle.Unlock()
	if z.quit == nil {
		if err := z.start(ctx); err != nil {
			return "", fmt.Errorf("zyre: start ZAP: %w", err)
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.serial++
	unique := domain + "#" + strconv.FormatUint(z.serial, 10)
	z.entries[unique] = zapEntry{domain, policy}
	return unique, nil
}

// unregister removes a listener, after its socket has been closed. The last one
// ends the goroutine. An empty domain means a listener without CURVE.
func (z *zapResponder) unregister(unique string) error {
	if unique == "" {
		return nil
	}
	z.lifecycle.Lock()
	defer z.lifecycle.Unlock()
	z.mu.Lock()
	delete(z.entries, unique)
	last := len(z.entries) == 0
	z.mu.Unlock()
	if !last || z.quit == nil {
		return nil
	}
	close(z.quit)
	z.waiter.Wake()
	err := <-z.done
	z.quit, z.waiter, z.done = nil, nil, nil
	return err
}

// start binds the socket and hands it to the goroutine, which owns it from then on.
func (z *zapResponder) start(ctx *zmq.Context) error {
	if !zmqwait.HaveDescriptors(descriptorReserve) {
		return ErrNoDescriptors
	}
	soc, err := ctx.NewSocket(zmq.REP)
	if err != nil {
		return err
	}
	if err := errors.Join(soc.SetLinger(0), soc.Bind(zapEndpoint)); err != nil {
		return errors.Join(err, soc.Close())
	}
	waiter, err := waiterFor(soc)
	if err != nil {
		return errors.Join(err, soc.Unbind(zapEndpoint), soc.Close())
	}
	z.mu.Lock()
	z.entries = make(map[string]zapEntry)
	z.mu.Unlock()
	z.waiter, z.quit, z.done = waiter, make(chan struct{}), make(chan error, 1)
	go func(quit <-chan struct{}, done chan<- error) {
		done <- z.run(soc, waiter, quit)
	}(z.quit, z.done)
	return nil
}

// run answers until quit is closed.
func (z *zapResponder) run(soc *zmq.Socket, waiter *zmqwait.Waiter, quit <-chan struct{}) error {
	readable := func() bool {
		events, err := soc.GetEvents()
		return err == nil && events&zmq.POLLIN != 0
	}
	for {
		select {
		case <-quit:
			// Unbind frees the name at once; Close alone frees it some time later.
			return errors.Join(waiter.Close(), soc.Unbind(zapEndpoint), soc.Close())
		default:
		}
		request, err := soc.RecvMessageBytes(zmq.DONTWAIT)
		if err == nil {
			// Without a reply libzmq drops the client when its handshake times out.
			_, _ = soc.SendMessageDontwait(z.answer(request))
			continue
		}
		var until time.Time
		if zmq.AsErrno(err) != errnoAgain {
			until = time.Now().Add(time.Second) // the socket is broken, which has no known cause: try again
		}
		_ = waiter.Wait(readable, until)
	}
}

// answer returns the reply to a ZAP request:
//
//	request: version, request id, domain, address, identity, mechanism, credentials…
//	reply:   version, request id, status code, status text, user id, metadata
//
// The user id of an accepted client is its public key, which libzmq attaches to
// each message of its connection.
func (z *zapResponder) answer(request [][]byte) [][]byte {
	var id []byte
	if len(request) > 1 {
		id = request[1]
	}
	reply := func(code, text, user string) [][]byte {
		return [][]byte{[]byte("1.0"), id, []byte(code), []byte(text), []byte(user), nil}
	}
	const domainFrame, addressFrame, mechanismFrame, keyFrame, frames = 2, 3, 5, 6, 7
	switch {
	case len(request) < frames, string(request[0]) != "1.0":
		return reply("500", "Malformed request", "")
	case string(request[mechanismFrame]) != "CURVE":
		return reply("400", "CURVE only", "")
	case len(request) != frames || len(request[keyFrame]) != 32:
		return reply("500", "Malformed request", "")
	}
	z.mu.Lock()
	entry, ok := z.entries[string(request[domainFrame])]
	z.mu.Unlock()
	if !ok {
		return reply("400", "Unknown domain", "")
	}
	key := Z85FromRaw([32]byte(request[keyFrame]))
	if p := entry.policy; p != nil && !p.Allows(key) {
		p.Refuse(entry.domain, plainAddress(string(request[addressFrame])), key)
		return reply("400", "Not authorized", "")
	}
	return reply("200", "OK", key)
}

// plainAddress writes an IPv4 address as such that came through an IPv6 socket.
func plainAddress(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return addr.Unmap().String()
}
