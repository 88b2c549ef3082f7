package transport_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/tcpinfo"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// A HELLO tells the connection that it came on, and from then on it can be told what moves
// on it, in both directions.
func TestMailbox_Moved(t *testing.T) {
	public, secret := transporttest.NewKeys(t)
	for _, test := range []struct {
		name, endpoint string
		secure         bool
	}{
		{"IPv4", "tcp://127.0.0.1:*", false},
		{"IPv6", "tcp://[::1]:*", false},
		{"both", "tcp://*:*", false},
		{"CURVE", "tcp://127.0.0.1:*", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := transporttest.NewZMQ(t)
			tr.DisableInproc()
			var listen transport.ListenOptions
			var dial transport.DialOptions
			if test.secure {
				listen = transport.ListenOptions{PublicKey: public, SecretKey: secret}
				dial = transport.DialOptions{ServerKey: public, PublicKey: public, SecretKey: secret}
			}
			in, bound := transporttest.MustListen(t, tr, listen, test.endpoint)
			m := transporttest.MustDial(t, tr, strings.Replace(bound, "[::]", "[::1]", 1), dial)
			var p transport.Packet
			transporttest.MustSend(t, m, []byte{0xaa, 0xa1, 1, 2})
			transporttest.MustRecv(t, in, &p)
			conn := p.Conn
			if conn == (transport.Conn{}) {
				t.Fatal("a HELLO came on no connection")
			}
			before := m.Moved(time.Now(), conn)
			const size = 100000
			transporttest.MustSend(t, m, transporttest.WhisperHeader, make([]byte, size))
			transporttest.MustRecv(t, in, &p)
			if p.Conn != conn {
				t.Errorf("connection of a WHISPER = %v, want %v", p.Conn, conn)
			}
			// An answer about what went out counts for a moment.
			after := m.Moved(time.Now(), conn)
			for end := time.Now().Add(patience); after.Sent < before.Sent+size && time.Now().Before(end); after = m.Moved(time.Now(), conn) {
				runtime.Gosched()
			}
			if after.Received < before.Received+size || after.Sent < before.Sent+size {
				t.Errorf("Moved() = %+v and then %+v, want %d more both ways", before, after, size)
			}
			if got := m.Moved(time.Now(), transport.Conn{}); got.Received != 0 || got.Sent == 0 {
				t.Errorf("Moved() without a connection = %+v, want what went out alone", got)
			}
		})
	}
}

func TestMailbox_Moved_inproc(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	in, bound := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	m := transporttest.MustDial(t, tr, bound, transport.DialOptions{})
	var p transport.Packet
	transporttest.MustSend(t, m, []byte{0xaa, 0xa1, 1, 2})
	transporttest.MustRecv(t, in, &p)
	if got := m.Moved(time.Now(), p.Conn); p.Conn != (transport.Conn{}) || got != (transport.Moved{}) {
		t.Errorf("Moved(%v) = %+v, want nothing by inproc", p.Conn, got)
	}
}

// A mailbox whose inbox is gone has no connection.
func TestMailbox_Moved_broken(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, bound := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	m := transporttest.MustDial(t, tr, bound, transport.DialOptions{})
	var p transport.Packet
	transporttest.MustSend(t, m, []byte{0xaa, 0xa1, 1, 2})
	transporttest.MustRecv(t, in, &p)
	if m.Moved(time.Now(), p.Conn).Broken {
		t.Error("Moved().Broken = true, want false while the inbox is open")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !m.Moved(time.Now(), p.Conn).Broken {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Moved().Broken = false, want true after the inbox was closed")
		}
	}
}

// The connection of a mailbox ends if much comes back on it. Another one of the process to the
// same address, which a stranger may have named as its own, does not.
func TestMailbox_answers(t *testing.T) {
	w := watch(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	app, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	tr := transporttest.NewZMQ(t)
	transporttest.MustDial(t, tr, "tcp://"+l.Addr().String(), transport.DialOptions{Identity: transporttest.Identity})
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := zmtp.Accept(accepted)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	const size = 1 << 20
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(app, make([]byte, size))
		read <- err
	}()
	if _, err := server.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	until := w.now.Add(5 * time.Second)
	w.lookUntil("5 s", func() bool { return w.now.After(until) })
	if w.g.Cut() != 0 {
		t.Error("a connection was ended that is no mailbox's")
	}
	_, _ = peer.Write(emptyFrames(size / 2))
	w.lookUntil("that of the mailbox is ended", func() bool { return w.g.Cut() == 1 && peer.Ended(time.Millisecond) })
	if _, err := server.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(app, make([]byte, 1)); err != nil {
		t.Errorf("the other connection: %v", err)
	}
}

// back is the other end of a mailbox's connection.
type back struct {
	t    *testing.T
	peer zmtp.Raw
	conn transport.Conn // the end of the mailbox
	sent uint64
}

// answer has a mailbox connect to what is no inbox.
func answer(t *testing.T) *back {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	transporttest.MustDial(t, transporttest.NewZMQ(t), "tcp://"+l.Addr().String(), transport.DialOptions{Identity: transporttest.Identity})
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b := &back{t: t}
	if b.peer, err = zmtp.Accept(accepted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.peer.Close() })
	for _, c := range tcpinfo.All(nil) {
		if c.Local().String() == accepted.RemoteAddr().String() {
			b.conn, b.sent = c.Conn, c.Received
		}
	}
	if !b.conn.IsKnown() {
		t.Fatal("the connection of the mailbox is not to be found")
	}
	return b
}

// send sends so many bytes, and returns once the system of the mailbox has them, or the connection
// has ended.
func (b *back) send(bytes int) {
	b.t.Helper()
	n, err := b.peer.Write(emptyFrames(bytes / 2))
	b.sent += uint64(n)
	for end := time.Now().Add(patience); err == nil; runtime.Gosched() {
		if c, exists := b.conn.Count(); !exists || c.Received >= b.sent {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("not all of %d bytes have come", b.sent)
		}
	}
}

// Who sends back little by little has no more in all than who does at once, however long it takes.
func TestMailbox_answers_slow(t *testing.T) {
	w, b := watch(t), answer(t)
	w.look()
	const part, start = 2 << 10, 16 << 10 // 8 KiB a second
	began := w.now
	for w.g.Cut() == 0 && b.sent < 2*start {
		b.send(part)
		w.look()
	}
	w.lookUntil("it is ended", func() bool { return w.g.Cut() == 1 && b.peer.Ended(time.Millisecond) })
	most := start + 64*uint64(w.now.Sub(began).Seconds()) + 16*part // and what came between two looks
	if b.sent < start || b.sent > most {
		t.Errorf("ended after %d bytes in %v, want at least %d and at most %d", b.sent, w.now.Sub(began), start, most)
	}
}

// A few bytes a second, as of heartbeats, may come for as long as the connection lasts.
func TestMailbox_answers_heartbeats(t *testing.T) {
	w, b := watch(t), answer(t)
	w.look()
	b.send(12 << 10)
	began := w.now
	for w.now.Sub(began) < 20*time.Minute {
		b.send(14) // 54 bytes a second
		if w.look(); w.g.Cut() != 0 {
			t.Fatalf("ended after %d bytes in %v, want it to last", b.sent, w.now.Sub(began))
		}
	}
	if b.sent <= 16<<10 {
		t.Errorf("%d bytes were sent, which does not show that more may come in time", b.sent)
	}
}
