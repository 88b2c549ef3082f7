package mem

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// refusedRetry is how long a mailbox that was refused waits before it tries again.
const refusedRetry = time.Second

// inbox receives messages in the order in which they arrive.
type inbox struct {
	host     *Host
	opts     transport.ListenOptions
	arrivals chan struct{} // something has changed about what arrives when
	wake     chan struct{}

	// guarded by net.mu
	boxes     []*mailbox          // that are connected
	bound     map[string][]string // the endpoints bound, each with the keys in Network.bound
	onArrival func()              // called by notify, unless nil
	waits     int64
	closed    bool
}

func (in *inbox) Recv(p *transport.Packet) error {
	in.host.pass()
	t := in.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	if in.closed {
		return transport.ErrClosed
	}
	clear(p.Frames)
	p.Frames, p.Header, p.UserID, p.Conn, p.Excess = p.Frames[:0], nil, "", transport.Conn{}, false
	message, m := in.pop(time.Now())
	if m == nil {
		return transport.ErrAgain
	}
	p.From, p.Header, p.UserID, p.Conn = bytes.Clone(m.opts.Identity), message.frames[0], m.userID(), m.conn
	if p.Address = m.conn.Remote().Addr(); !p.Address.IsValid() {
		p.Address = loopback // it came by ipc or inproc
	}
	switch {
	case in.isExcess(message.frames[1:]):
		p.Excess, p.Frames = true, nil
	case transport.HasContent(p.Header):
		p.Frames = append(p.Frames, message.frames[1:]...)
	}
	return nil
}

// isExcess reports whether a message has more frames or bytes of content than the inbox
// takes. A single frame that is too large ends no connection here, as it does with libzmq.
func (in *inbox) isExcess(content [][]byte) bool {
	bytes := 0
	for _, f := range content {
		bytes += len(f)
	}
	return len(content) > transport.MaxFrames || bytes > cmp.Or(in.opts.MaxMessage, transport.DefaultMaxMessage)
}

// pop takes the first message, if one has arrived. The caller holds net.mu.
func (in *inbox) pop(now time.Time) (_ message, from *mailbox) {
	in.admitRefused(now)
	m, at := in.next(now)
	if m == nil || at.After(now) {
		return message{}, nil
	}
	first := m.queue.Pop()
	if (m.closed || m.replaced) && m.queue.Len() == 0 {
		in.remove(m)
	}
	return first, m
}

// next returns the mailbox whose message arrives next, and when. The caller holds net.mu.
func (in *inbox) next(now time.Time) (first *mailbox, at time.Time) {
	for i := 0; i < len(in.boxes); i++ {
		m := in.boxes[i]
		if in.host.net.isCut(m.host, in.host) {
			if m.closed && now.After(m.lingerUntil) {
				in.remove(m)
				i--
			}
			continue
		}
		if m.queue.Len() == 0 {
			continue
		}
		due := m.queue.Front().due
		if due.Before(m.held) {
			due = m.held
		}
		if first == nil || due.Before(at) || due.Equal(at) && m.host.number < first.host.number {
			first, at = m, due
		}
	}
	return first, at
}

// remove forgets a mailbox; the caller holds net.mu.
func (in *inbox) remove(m *mailbox) {
	in.boxes = slices.DeleteFunc(in.boxes, func(o *mailbox) bool { return o == m })
	m.disconnected()
}

// admitRefused lets those try again who were refused. The caller holds net.mu.
func (in *inbox) admitRefused(now time.Time) {
	if in.opts.Policy == nil {
		return
	}
	for _, keys := range in.bound {
		for _, key := range keys {
			for _, m := range slices.Clone(in.host.net.dialing[key]) {
				if !m.refusedAt.IsZero() && now.Sub(m.refusedAt) >= refusedRetry {
					m.connect(now)
				}
			}
		}
	}
}

// admits reports whether a mailbox may connect: under CURVE it has the inbox's public key,
// and its own is one that the policy allows. The caller holds net.mu.
func (in *inbox) admits(m *mailbox) bool {
	if isInproc(m.endpoint) {
		return true
	}
	if m.opts.ServerKey != in.opts.PublicKey {
		return false
	}
	if in.opts.PublicKey == "" || in.opts.Policy == nil || in.opts.Policy.Allows(m.opts.PublicKey) {
		return true
	}
	in.opts.Policy.Refuse(in.opts.ZapDomain, m.host.addr.String(), m.opts.PublicKey)
	return false
}

func (in *inbox) Bind(endpoint string) (string, error) {
	if err := transport.CheckBindEndpoint(endpoint); err != nil {
		return "", fmt.Errorf("zyre: bind: %w", err)
	}
	t := in.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	bound, keys, err := in.host.bindKeys(endpoint)
	if err != nil {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, err)
	}
	if t.bound[keys[0]] != nil {
		return "", fmt.Errorf("zyre: bind %s: address already in use", endpoint)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return t.bound[key] != nil })
	if in.bound == nil {
		in.bound = map[string][]string{}
	}
	in.bound[bound] = keys
	now := time.Now()
	for _, key := range keys {
		t.bound[key] = in
		for _, m := range slices.Clone(t.dialing[key]) {
			m.connect(now)
		}
	}
	return bound, nil
}

func (in *inbox) Unbind(endpoint string) error {
	t := in.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	keys, ok := in.bound[endpoint]
	if !ok {
		return fmt.Errorf("zyre: unbind %s: not bound", endpoint)
	}
	for _, key := range keys {
		delete(t.bound, key)
	}
	delete(in.bound, endpoint)
	return nil
}

// StopOffering does nothing: an inbox offers nothing beside its endpoints.
func (in *inbox) StopOffering() {}

func (in *inbox) Guard() *transport.Guard { return nil }

// notify has Wait look again; the caller holds net.mu.
func (in *inbox) notify() {
	signal(in.arrivals)
	if in.onArrival != nil {
		in.onArrival()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Wait waits until the first message arrives.
func (in *inbox) Wait(until time.Time) {
	in.host.net.mu.Lock()
	in.waits++
	in.host.net.mu.Unlock()
	for in.wait(until) {
	}
	in.host.pass()
}

// wait waits for the first of what Wait waits for, and reports whether to look again.
func (in *inbox) wait(until time.Time) (again bool) {
	in.host.net.mu.Lock()
	now := time.Now()
	m, at := in.next(now)
	in.host.net.mu.Unlock()
	if m != nil && (until.IsZero() || at.Before(until)) {
		until = at
	}
	var expired <-chan time.Time
	if !until.IsZero() {
		over, stop := after(until.Sub(now))
		defer stop()
		expired = over
	}
	select {
	case <-in.arrivals:
		return true
	case <-in.wake:
	case <-expired:
	}
	return false
}

func (in *inbox) Wake() { signal(in.wake) }

func (in *inbox) Close() error {
	t := in.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	for _, keys := range in.bound {
		for _, key := range keys {
			delete(t.bound, key)
		}
	}
	in.bound = nil
	in.host.inboxes = slices.DeleteFunc(in.host.inboxes, func(o *inbox) bool { return o == in })
	now := time.Now()
	boxes := in.boxes
	in.boxes = nil
	for _, m := range boxes {
		m.disconnected()
		m.dropQueue() // it was in the connection
		if !m.closed {
			m.startDialing(now)
		}
	}
	return nil
}
