package transporttest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Contract holds a transport to what package transport promises; newTransport makes one
// for each test.
func Contract(t *testing.T, newTransport func(t testing.TB) transport.Transport) {
	tests := map[string]func(t *testing.T, tr transport.Transport){
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
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newTransport(t)) })
	}
}

func newPair(t *testing.T, tr transport.Transport) (transport.Inbox, transport.Mailbox) {
	t.Helper()
	in, endpoint := MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	return in, MustDial(t, tr, endpoint, transport.DialOptions{})
}

func contractShapes(t *testing.T, tr transport.Transport) {
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
		{"ping", PingHeader, nil, nil},
		{"ping with content", PingHeader, [][]byte{{1}, {2}}, nil},
		{"whisper", WhisperHeader, [][]byte{[]byte("a")}, [][]byte{[]byte("a")}},
		{"whisper without content", WhisperHeader, nil, nil},
		{"empty frames", WhisperHeader, [][]byte{{}, nil, []byte("x"), {}}, [][]byte{{}, {}, []byte("x"), {}}},
		{"1000 frames", WhisperHeader, many, many},
		{"empty header", nil, nil, nil},
		{"short header", []byte{0xaa, 0xa1}, [][]byte{{1}}, nil},
		{"ping again", PingHeader, nil, nil},
		{"1 MB", WhisperHeader, [][]byte{make([]byte, 1<<20)}, [][]byte{make([]byte, 1<<20)}},
	}
	var p transport.Packet
	for _, test := range tests {
		MustSend(t, m, test.header, test.frames...)
		MustRecv(t, in, &p)
		if !bytes.Equal(p.From, Identity) {
			t.Errorf("%s: from = %x, want %x", test.name, p.From, Identity)
		}
		if !bytes.Equal(p.Header, test.header) {
			t.Errorf("%s: header = %x, want %x", test.name, p.Header, test.header)
		}
		if len(p.Frames) != len(test.want) {
			t.Errorf("%s: %d frames, want %d", test.name, len(p.Frames), len(test.want))
			continue
		}
		for i := range test.want {
			if !bytes.Equal(p.Frames[i], test.want[i]) {
				t.Errorf("%s: frame %d = %.20q, want %.20q", test.name, i, p.Frames[i], test.want[i])
			}
		}
	}
	if err := in.Recv(&p); !errors.Is(err, transport.ErrAgain) {
		t.Errorf("Recv() of nothing = %v, want %v", err, transport.ErrAgain)
	}
}

func numbered(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func contractOrder(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	var p transport.Packet
	sent := 0
	for got := range 20_000 {
		for sent < got+400 && sent < 20_000 {
			MustSend(t, m, WhisperHeader, numbered(sent))
			sent++
		}
		MustRecv(t, in, &p)
		if !bytes.Equal(p.Frames[0], numbered(got)) {
			t.Fatalf("message %d = %x", got, p.Frames[0])
		}
	}
}

// contractHighWater fills a mailbox, drains it and finds every accepted message,
// whole and in order.
func contractHighWater(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	body := make([]byte, 16<<10)
	sent, refused := 0, 0
	send := func() {
		err := m.Send(WhisperHeader, [][]byte{numbered(sent), body, numbered(sent)})
		switch {
		case err == nil:
			sent++
		case errors.Is(err, transport.ErrAgain):
			refused++
		default:
			t.Fatalf("Send() = %v", err)
		}
	}
	for refused < 100 && sent < 100_000 {
		send()
	}
	if sent < transport.HighWaterMark || refused == 0 {
		t.Fatalf("%d sent, %d refused; want at least %d sent and then refusals", sent, refused, transport.HighWaterMark)
	}
	var p transport.Packet
	for got := 0; got < sent; got++ {
		MustRecv(t, in, &p)
		if len(p.Frames) != 3 || !bytes.Equal(p.Frames[0], numbered(got)) || !bytes.Equal(p.Frames[2], numbered(got)) {
			t.Fatalf("message %d of %d: %d frames, first %x", got, sent, len(p.Frames), p.Frames[0])
		}
		if got%100 == 0 && got < 5000 {
			send() // between full and empty
		}
	}
	if err := in.Recv(&p); !errors.Is(err, transport.ErrAgain) {
		t.Errorf("Recv() after all = %v, want %v", err, transport.ErrAgain)
	}
}

func contractWake(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	quiet(t, in, m)
	in.Wake()
	start := time.Now()
	in.Wait(start.Add(patience))
	if d := time.Since(start); d >= patience {
		t.Errorf("Wait() lasted %v after wake", d)
	}
	for range 200 {
		go in.Wake()
		start := time.Now()
		in.Wait(start.Add(patience))
		if time.Since(start) >= patience {
			t.Fatal("Wait() slept through wake")
		}
	}
}

// quiet takes a message, so that m is connected and the inbox has no reason left to return
// from Wait.
func quiet(t *testing.T, in transport.Inbox, m transport.Mailbox) {
	t.Helper()
	MustSend(t, m, PingHeader)
	var p transport.Packet
	MustRecv(t, in, &p)
	if err := in.Recv(&p); !errors.Is(err, transport.ErrAgain) {
		t.Fatalf("Recv() after all = %v, want %v", err, transport.ErrAgain)
	}
}

func contractDeadline(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	quiet(t, in, m)
	for _, d := range []time.Duration{-time.Hour, 0, 20 * time.Millisecond} {
		start := time.Now()
		for until := start.Add(d); ; {
			in.Wait(until)
			if !time.Now().Before(until) {
				break
			}
		}
		if late := time.Since(start) - max(d, 0); late > patience {
			t.Errorf("Wait(%v) was %v late", d, late)
		}
	}
}

// contractHandover has several mailboxes with one identity: the newest is read, and nothing more
// from the others.
func contractHandover(t *testing.T, tr transport.Transport) {
	in, endpoint := MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	var old []transport.Mailbox
	var p transport.Packet
	for i := range 5 {
		m := MustDial(t, tr, endpoint, transport.DialOptions{})
		for _, number := range []int{i, i + 100} {
			MustSend(t, m, WhisperHeader, numbered(number))
			MustRecv(t, in, &p)
			if !bytes.Equal(p.From, Identity) || !bytes.Equal(p.Frames[0], numbered(number)) {
				t.Errorf("connection %d: from %x, content %x, want %x", i, p.From, p.Frames[0], numbered(number))
			}
			for _, o := range old { // over inproc there may be nobody to send to any more
				if err := o.Send(WhisperHeader, [][]byte{numbered(1000)}); err != nil && !errors.Is(err, transport.ErrAgain) {
					t.Errorf("Send() = %v, want nil or %v", err, transport.ErrAgain)
				}
			}
		}
		old = append(old, m)
	}
}

func contractDialFirst(t *testing.T, tr transport.Transport) {
	probe, endpoint := MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	if err := probe.Unbind(endpoint); err != nil {
		t.Fatal(err)
	}
	if err := probe.Unbind(endpoint); err == nil {
		t.Error("second Unbind() = nil, want an error")
	}
	m := MustDial(t, tr, endpoint, transport.DialOptions{})
	for i := range transport.HighWaterMark {
		MustSend(t, m, WhisperHeader, numbered(i))
	}
	if err := m.Send(WhisperHeader, [][]byte{{}}); !errors.Is(err, transport.ErrAgain) {
		t.Errorf("Send() beyond the high-water mark = %v, want %v", err, transport.ErrAgain)
	}
	in, err := tr.Listen(transport.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	bindAgain(t, in, endpoint)
	var p transport.Packet
	for i := range transport.HighWaterMark {
		MustRecv(t, in, &p)
		if !bytes.Equal(p.Frames[0], numbered(i)) {
			t.Fatalf("message %d = %x", i, p.Frames[0])
		}
	}
}

// contractDialAgain closes an inbox to which a mailbox is connected: the mailbox finds
// the next one at that endpoint.
func contractDialAgain(t *testing.T, tr transport.Transport) {
	first, endpoint := MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	m := MustDial(t, tr, endpoint, transport.DialOptions{})
	var p transport.Packet
	MustSend(t, m, PingHeader)
	MustRecv(t, first, &p)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := tr.Listen(transport.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	bindAgain(t, second, endpoint)
	for until := time.Now().Add(patience); ; { // what went into the old connection is lost
		if err := m.Send(PingHeader, nil); err != nil && !errors.Is(err, transport.ErrAgain) {
			t.Fatal(err)
		}
		if RecvBy(t, second, &p, time.Now().Add(5*time.Millisecond)) {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nothing came to the second inbox")
		}
	}
}

// bindAgain binds an endpoint that was in use until now.
func bindAgain(t *testing.T, in transport.Inbox, endpoint string) {
	t.Helper()
	if _, err := in.Bind(endpoint); err != nil {
		t.Fatal(err)
	}
}

func contractInproc(t *testing.T, tr transport.Transport) {
	in, endpoint := MustListen(t, tr, transport.ListenOptions{}, "inproc://zyre-contract")
	m := MustDial(t, tr, endpoint, transport.DialOptions{})
	MustSend(t, m, WhisperHeader, []byte("x"))
	var p transport.Packet
	MustRecv(t, in, &p)
	if !bytes.Equal(p.From, Identity) || len(p.Frames) != 1 {
		t.Errorf("Recv() = from %x, %d frames", p.From, len(p.Frames))
	}
}

func contractLinger(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	MustSend(t, m, WhisperHeader, []byte("x"))
	start := time.Now()
	if err := m.Close(patience); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	if d := time.Since(start); d >= patience {
		t.Errorf("Close() blocked for %v", d)
	}
	var p transport.Packet
	MustRecv(t, in, &p)
	if len(p.Frames) != 1 {
		t.Errorf("%d frames, want 1", len(p.Frames))
	}
}

func contractClose(t *testing.T, tr transport.Transport) {
	in, m := newPair(t, tr)
	for range 2 {
		if err := m.Close(0); err != nil {
			t.Errorf("mailbox.close() = %v", err)
		}
		if err := in.Close(); err != nil {
			t.Errorf("inbox.close() = %v", err)
		}
	}
	in.Wake()
	var p transport.Packet
	if err := in.Recv(&p); err == nil || errors.Is(err, transport.ErrAgain) {
		t.Errorf("Recv() after close = %v, want an error", err)
	}
	if err := m.Send(PingHeader, nil); err == nil || errors.Is(err, transport.ErrAgain) {
		t.Errorf("Send() after close = %v, want an error", err)
	}
}

func contractRefuse(t *testing.T, tr transport.Transport) {
	for _, endpoint := range []string{"", "garbage", "udp://127.0.0.1:1", "tcp://127.0.0.1:0", "tcp://*:80"} {
		if m, err := tr.Dial(endpoint, transport.DialOptions{Identity: Identity}); !errors.Is(err, transport.ErrBadEndpoint) {
			t.Errorf("Dial(%q) = %v, want %v", endpoint, err, transport.ErrBadEndpoint)
			if err == nil {
				m.Close(0)
			}
		}
	}
	if _, err := tr.Dial("tcp://localhost:80", transport.DialOptions{}); !errors.Is(err, transport.ErrNeedsLookup) {
		t.Errorf("Dial(localhost) = %v, want %v", err, transport.ErrNeedsLookup)
	}
	in, endpoint := MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	if _, err := in.Bind(endpoint); err == nil {
		t.Errorf("second Bind(%s) = nil, want an error", endpoint)
	}
}
