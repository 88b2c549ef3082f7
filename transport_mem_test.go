package zyre

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// memTransport is a network in memory. It needs no descriptor and no goroutine,
// and blocks only on channels and timers, so it works in a synctest bubble. One
// memTransport is one network: nodes that share it can reach each other.
type memTransport struct {
	mu        sync.Mutex
	bound     map[string]*memInbox // by endpoint
	mailboxes []*memMailbox        // in order of dialling; closed ones stay until drained
	nextPort  int
}

func newMemTransport() *memTransport {
	return &memTransport{bound: make(map[string]*memInbox), nextPort: 49152}
}

func (t *memTransport) close() error { return nil }

func (t *memTransport) listen(listenOptions) (inbox, error) {
	return &memInbox{net: t, signal: make(chan struct{}, 1)}, nil
}

func (t *memTransport) dial(endpoint string, opts dialOptions) (mailbox, error) {
	if err := checkEndpoint(endpoint); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.mailboxes {
		if m.endpoint == endpoint && bytes.Equal(m.identity, opts.identity) {
			m.queue, m.replaced = nil, true // handed over
		}
	}
	m := &memMailbox{net: t, endpoint: endpoint, identity: bytes.Clone(opts.identity), userID: opts.publicKey}
	t.mailboxes = append(t.mailboxes, m)
	return m, nil
}

// partition makes messages to endpoint vanish, or lets them through again.
func (t *memTransport) partition(endpoint string, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in := t.bound[endpoint]; in != nil {
		in.cut = cut
	}
}

type memInbox struct {
	net    *memTransport
	signal chan struct{}

	// guarded by net.mu
	turn        int // mailbox that is read next, so that each gets its turn
	cut, paused bool
	closed      bool

	waits atomic.Int64 // how often its owner has gone to sleep
}

func (in *memInbox) recv(p *packet) error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if in.closed {
		return errClosed
	}
	clear(p.frames)
	p.frames, p.header, p.userID = p.frames[:0], nil, ""
	if in.paused {
		return errAgain
	}
	boxes := in.net.mailboxes
	for i := range boxes {
		n := (in.turn + i) % len(boxes)
		m := boxes[n]
		if len(m.queue) == 0 || in.net.bound[m.endpoint] != in {
			continue
		}
		message := m.queue[0]
		m.queue = m.queue[1:]
		in.turn = n + 1
		if m.closed && len(m.queue) == 0 {
			in.net.mailboxes = append(boxes[:n:n], boxes[n+1:]...)
		}
		p.from, p.header, p.userID = bytes.Clone(m.identity), message[0], m.userID
		if hasContent(p.header) {
			p.frames = append(p.frames, message[1:]...)
		}
		return nil
	}
	return errAgain
}

func (in *memInbox) bind(endpoint string) (string, error) {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if host, ok := strings.CutSuffix(endpoint, ":*"); ok {
		endpoint = fmt.Sprintf("%s:%d", host, in.net.nextPort)
		in.net.nextPort++
	}
	if in.net.bound[endpoint] != nil {
		return "", fmt.Errorf("bind %s: in use", endpoint)
	}
	in.net.bound[endpoint] = in
	in.notify()
	return endpoint, nil
}

func (in *memInbox) unbind(endpoint string) error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if in.net.bound[endpoint] != in {
		return fmt.Errorf("unbind %s: not bound", endpoint)
	}
	delete(in.net.bound, endpoint)
	return nil
}

func (in *memInbox) retire() {}

func (in *memInbox) notify() {
	select {
	case in.signal <- struct{}{}:
	default:
	}
}

func (in *memInbox) wait(until time.Time) {
	in.waits.Add(1)
	var expired <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-in.signal:
	case <-expired:
	}
}

func (in *memInbox) wake() { in.notify() }

func (in *memInbox) close() error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	in.closed = true
	for endpoint, owner := range in.net.bound {
		if owner == in {
			delete(in.net.bound, endpoint)
		}
	}
	return nil
}

type memMailbox struct {
	net      *memTransport
	endpoint string
	identity []byte
	userID   string

	// guarded by net.mu
	queue    [][][]byte
	replaced bool // another mailbox has taken over the identity: messages vanish
	closed   bool
}

func (m *memMailbox) send(header []byte, frames [][]byte) error {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if m.closed {
		return errClosed
	}
	in := m.net.bound[m.endpoint]
	if m.replaced || in != nil && in.cut {
		return nil
	}
	if len(m.queue) >= highWaterMark {
		return errAgain
	}
	message := [][]byte{bytes.Clone(header)}
	for _, frame := range frames {
		message = append(message, bytes.Clone(frame))
	}
	m.queue = append(m.queue, message)
	if in != nil {
		in.notify()
	}
	return nil
}

func (m *memMailbox) close(linger time.Duration) error {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if linger <= 0 {
		m.queue = nil
	}
	if len(m.queue) == 0 {
		for i, other := range m.net.mailboxes {
			if other == m {
				m.net.mailboxes = append(m.net.mailboxes[:i:i], m.net.mailboxes[i+1:]...)
				break
			}
		}
	}
	return nil
}
