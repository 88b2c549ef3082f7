package zyre

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
)

// patience is how long tests wait for what must happen: for each step of it, where it
// has many. stormPatience is for all of them.
const (
	patience      = 20 * time.Second
	stormPatience = 10 * time.Minute
)

var (
	whisperHeader = []byte{0xaa, 0xa1, 2, 2, 0, 1}
	pingHeader    = []byte{0xaa, 0xa1, 6, 2, 0, 1}
	testIdentity  = append([]byte{1}, "0123456789abcdef"...)
)

// TestTransport_contract holds the real transport, with and without shortcuts, and the
// one in memory to the same promises.
func TestTransport_contract(t *testing.T) {
	makers := map[string]func(t *testing.T) transport{
		"shortcut": func(t *testing.T) transport { return newTestTransport(t) },
		"tcp": func(t *testing.T) transport {
			tr := newTestTransport(t)
			tr.noShortcuts = true
			return tr
		},
		"mem": func(t *testing.T) transport { return newMemTransport() },
	}
	tests := map[string]func(t *testing.T, tr transport){
		"shapes":    contractShapes,
		"order":     contractOrder,
		"highWater": contractHighWater,
		"wake":      contractWake,
		"deadline":  contractDeadline,
		"handover":  contractHandover,
		"dialFirst": contractDialFirst,
		"dialAgain": contractDialAgain,
		"inproc":    contractInproc,
		"linger":    contractLinger,
		"close":     contractClose,
		"refuse":    contractRefuse,
	}
	for kind, newTransport := range makers {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, newTransport(t)) })
		}
	}
}

func newTestTransport(tb testing.TB) *zmqTransport {
	tb.Helper()
	tr, err := newZMQTransport()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := tr.close(); err != nil {
			tb.Errorf("close() = %v", err)
		}
	})
	return tr
}

func mustListen(tb testing.TB, tr transport, opts listenOptions, endpoint string) (inbox, string) {
	tb.Helper()
	in, err := tr.listen(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.close() })
	bound, err := in.bind(endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	return in, bound
}

func mustDial(tb testing.TB, tr transport, endpoint string, opts dialOptions) mailbox {
	tb.Helper()
	if opts.identity == nil {
		opts.identity = testIdentity
	}
	m, err := tr.dial(endpoint, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.close(0) })
	return m
}

func newPair(t *testing.T, tr transport) (inbox, mailbox) {
	t.Helper()
	in, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	return in, mustDial(t, tr, endpoint, dialOptions{})
}

func mustSend(t *testing.T, m mailbox, header []byte, frames ...[]byte) {
	t.Helper()
	if err := m.send(header, frames); err != nil {
		t.Fatalf("send() = %v", err)
	}
}

// mustRecv waits for the next message.
func mustRecv(tb testing.TB, in inbox, p *packet) {
	tb.Helper()
	if !recvBy(tb, in, p, time.Now().Add(patience)) {
		tb.Fatal("nothing received")
	}
}

func recvBy(tb testing.TB, in inbox, p *packet, until time.Time) bool {
	tb.Helper()
	for {
		err := in.recv(p)
		if err == nil {
			return true
		}
		if !errors.Is(err, errAgain) {
			tb.Fatalf("recv() = %v", err)
		}
		if !time.Now().Before(until) {
			return false
		}
		in.wait(until)
	}
}

func contractShapes(t *testing.T, tr transport) {
	in, m := newPair(t, tr)
	many := make([][]byte, 1000)
	for i := range many {
		many[i] = fmt.Append(nil, i)
	}
	tests := []struct {
		name   string
		header []byte
		frames [][]byte
		want   [][]byte
	}{
		{"ping", pingHeader, nil, nil},
		{"ping with content", pingHeader, [][]byte{{1}, {2}}, nil},
		{"whisper", whisperHeader, [][]byte{[]byte("a")}, [][]byte{[]byte("a")}},
		{"whisper without content", whisperHeader, nil, nil},
		{"empty frames", whisperHeader, [][]byte{{}, nil, []byte("x"), {}}, [][]byte{{}, {}, []byte("x"), {}}},
		{"1000 frames", whisperHeader, many, many},
		{"empty header", nil, nil, nil},
		{"short header", []byte{0xaa, 0xa1}, [][]byte{{1}}, nil},
		{"ping again", pingHeader, nil, nil},
		{"1 MB", whisperHeader, [][]byte{make([]byte, 1<<20)}, [][]byte{make([]byte, 1<<20)}},
	}
	var p packet
	for _, test := range tests {
		mustSend(t, m, test.header, test.frames...)
		mustRecv(t, in, &p)
		if !bytes.Equal(p.from, testIdentity) {
			t.Errorf("%s: from = %x, want %x", test.name, p.from, testIdentity)
		}
		if !bytes.Equal(p.header, test.header) {
			t.Errorf("%s: header = %x, want %x", test.name, p.header, test.header)
		}
		if len(p.frames) != len(test.want) {
			t.Errorf("%s: %d frames, want %d", test.name, len(p.frames), len(test.want))
			continue
		}
		for i := range test.want {
			if !bytes.Equal(p.frames[i], test.want[i]) {
				t.Errorf("%s: frame %d = %.20q, want %.20q", test.name, i, p.frames[i], test.want[i])
			}
		}
	}
	if err := in.recv(&p); !errors.Is(err, errAgain) {
		t.Errorf("recv() of nothing = %v, want %v", err, errAgain)
	}
}

func numbered(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func contractOrder(t *testing.T, tr transport) {
	in, m := newPair(t, tr)
	var p packet
	sent := 0
	for got := range 20_000 {
		for sent < got+400 && sent < 20_000 {
			mustSend(t, m, whisperHeader, numbered(sent))
			sent++
		}
		mustRecv(t, in, &p)
		if !bytes.Equal(p.frames[0], numbered(got)) {
			t.Fatalf("message %d = %x", got, p.frames[0])
		}
	}
}

// contractHighWater fills a mailbox, drains it and finds every accepted message,
// whole and in order.
func contractHighWater(t *testing.T, tr transport) {
	in, m := newPair(t, tr)
	body := make([]byte, 16<<10)
	sent, refused := 0, 0
	send := func() {
		err := m.send(whisperHeader, [][]byte{numbered(sent), body, numbered(sent)})
		switch {
		case err == nil:
			sent++
		case errors.Is(err, errAgain):
			refused++
		default:
			t.Fatalf("send() = %v", err)
		}
	}
	for refused < 100 && sent < 100_000 {
		send()
	}
	if sent < highWaterMark || refused == 0 {
		t.Fatalf("%d sent, %d refused; want at least %d sent and then refusals", sent, refused, highWaterMark)
	}
	var p packet
	for got := 0; got < sent; got++ {
		mustRecv(t, in, &p)
		if len(p.frames) != 3 || !bytes.Equal(p.frames[0], numbered(got)) || !bytes.Equal(p.frames[2], numbered(got)) {
			t.Fatalf("message %d of %d: %d frames, first %x", got, sent, len(p.frames), p.frames[0])
		}
		if got%100 == 0 && got < 5000 {
			send() // between full and empty
		}
	}
	if err := in.recv(&p); !errors.Is(err, errAgain) {
		t.Errorf("recv() after all = %v, want %v", err, errAgain)
	}
}

func contractWake(t *testing.T, tr transport) {
	in, _ := newPair(t, tr)
	quiet(t, in)
	in.wake()
	start := time.Now()
	in.wait(start.Add(patience))
	if d := time.Since(start); d >= patience {
		t.Errorf("wait() lasted %v after wake", d)
	}
	for range 200 {
		go in.wake()
		start := time.Now()
		in.wait(start.Add(patience))
		if time.Since(start) >= patience {
			t.Fatal("wait() slept through wake")
		}
	}
}

// quiet waits until the inbox has no reason left to return from wait.
func quiet(t *testing.T, in inbox) {
	t.Helper()
	var p packet
	recvBy(t, in, &p, time.Now().Add(50*time.Millisecond))
}

func contractDeadline(t *testing.T, tr transport) {
	in, _ := newPair(t, tr)
	quiet(t, in)
	for _, d := range []time.Duration{-time.Hour, 0, 20 * time.Millisecond} {
		start := time.Now()
		for until := start.Add(d); ; {
			in.wait(until)
			if !time.Now().Before(until) {
				break
			}
		}
		if late := time.Since(start) - max(d, 0); late > patience {
			t.Errorf("wait(%v) was %v late", d, late)
		}
	}
}

func contractHandover(t *testing.T, tr transport) {
	var last mailbox
	in, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	var p packet
	for i := range 5 { // all with one identity, each made while the last is open
		m := mustDial(t, tr, endpoint, dialOptions{})
		mustSend(t, m, whisperHeader, numbered(i))
		mustRecv(t, in, &p)
		if !bytes.Equal(p.from, testIdentity) || !bytes.Equal(p.frames[0], numbered(i)) {
			t.Errorf("connection %d: from %x, content %x", i, p.from, p.frames[0])
		}
		if last != nil { // or it would connect again and take the identity back
			last.close(0)
		}
		last = m
	}
}

func contractDialFirst(t *testing.T, tr transport) {
	probe, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	if err := probe.unbind(endpoint); err != nil {
		t.Fatal(err)
	}
	if err := probe.unbind(endpoint); err == nil {
		t.Error("second unbind() = nil, want an error")
	}
	m := mustDial(t, tr, endpoint, dialOptions{})
	for i := range highWaterMark {
		mustSend(t, m, whisperHeader, numbered(i))
	}
	if err := m.send(whisperHeader, [][]byte{{}}); !errors.Is(err, errAgain) {
		t.Errorf("send() beyond the high-water mark = %v, want %v", err, errAgain)
	}
	in, err := tr.listen(listenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	bindAgain(t, in, endpoint)
	var p packet
	for i := range highWaterMark {
		mustRecv(t, in, &p)
		if !bytes.Equal(p.frames[0], numbered(i)) {
			t.Fatalf("message %d = %x", i, p.frames[0])
		}
	}
}

// contractDialAgain closes an inbox to which a mailbox is connected: the mailbox finds
// the next one at that endpoint.
func contractDialAgain(t *testing.T, tr transport) {
	first, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	m := mustDial(t, tr, endpoint, dialOptions{})
	var p packet
	mustSend(t, m, pingHeader)
	mustRecv(t, first, &p)
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	second, err := tr.listen(listenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	bindAgain(t, second, endpoint)
	for until := time.Now().Add(patience); ; { // what went into the old connection is lost
		if err := m.send(pingHeader, nil); err != nil && !errors.Is(err, errAgain) {
			t.Fatal(err)
		}
		if recvBy(t, second, &p, time.Now().Add(5*time.Millisecond)) {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nothing came to the second inbox")
		}
	}
}

// bindAgain binds an endpoint that was in use until now: it is free a moment later.
func bindAgain(t *testing.T, in inbox, endpoint string) {
	t.Helper()
	for until := time.Now().Add(patience); ; {
		_, err := in.bind(endpoint)
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
		in.wait(time.Now().Add(5 * time.Millisecond))
	}
}

func contractInproc(t *testing.T, tr transport) {
	in, endpoint := mustListen(t, tr, listenOptions{}, "inproc://zyre-contract")
	m := mustDial(t, tr, endpoint, dialOptions{})
	mustSend(t, m, whisperHeader, []byte("x"))
	var p packet
	mustRecv(t, in, &p)
	if !bytes.Equal(p.from, testIdentity) || len(p.frames) != 1 {
		t.Errorf("recv() = from %x, %d frames", p.from, len(p.frames))
	}
}

func contractLinger(t *testing.T, tr transport) {
	in, m := newPair(t, tr)
	mustSend(t, m, whisperHeader, []byte("x"))
	start := time.Now()
	if err := m.close(patience); err != nil {
		t.Fatalf("close() = %v", err)
	}
	if d := time.Since(start); d >= patience {
		t.Errorf("close() blocked for %v", d)
	}
	var p packet
	mustRecv(t, in, &p)
	if len(p.frames) != 1 {
		t.Errorf("%d frames, want 1", len(p.frames))
	}
}

func contractClose(t *testing.T, tr transport) {
	in, m := newPair(t, tr)
	for range 2 {
		if err := m.close(0); err != nil {
			t.Errorf("mailbox.close() = %v", err)
		}
		if err := in.close(); err != nil {
			t.Errorf("inbox.close() = %v", err)
		}
	}
	in.wake()
	var p packet
	if err := in.recv(&p); err == nil || errors.Is(err, errAgain) {
		t.Errorf("recv() after close = %v, want an error", err)
	}
	if err := m.send(pingHeader, nil); err == nil || errors.Is(err, errAgain) {
		t.Errorf("send() after close = %v, want an error", err)
	}
}

func contractRefuse(t *testing.T, tr transport) {
	for _, endpoint := range []string{"", "garbage", "udp://127.0.0.1:1", "tcp://127.0.0.1:0", "tcp://*:80"} {
		if m, err := tr.dial(endpoint, dialOptions{identity: testIdentity}); !errors.Is(err, errBadEndpoint) {
			t.Errorf("dial(%q) = %v, want %v", endpoint, err, errBadEndpoint)
			if err == nil {
				m.close(0)
			}
		}
	}
	if _, err := tr.dial("tcp://localhost:80", dialOptions{}); !errors.Is(err, errNeedsLookup) {
		t.Errorf("dial(localhost) = %v, want %v", err, errNeedsLookup)
	}
	in, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	if _, err := in.bind(endpoint); err == nil {
		t.Errorf("second bind(%s) = nil, want an error", endpoint)
	}
}
