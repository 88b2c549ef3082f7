package zgossip

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// steady is for members that are not to connect again, however busy the machine is.
func steady() Options {
	return Options{PingInterval: patience / 6, ClientTimeout: patience, QuietTimeout: patience, HubTimeout: patience}
}

// checkEndless sends a message of empty frames that does not end, and fails the test unless its
// connection ends before that takes gigabytes of memory.
func checkEndless(t *testing.T, r zmtp.Raw) {
	t.Helper()
	const most = 64 << 20 // bytes on the wire
	var frames []byte
	for range 64 << 10 {
		frames = zmtp.AppendFrame(frames, nil, true)
	}
	_ = r.SetWriteDeadline(time.Now().Add(patience))
	for sent := 0; ; {
		n, err := r.Write(frames)
		if sent += n; err != nil {
			t.Logf("the connection ended after %d kB", sent>>10)
			break
		}
		if sent > most {
			t.Fatalf("the connection had not ended after %d bytes", sent)
		}
	}
	if !r.Ended(patience) {
		t.Error("the connection did not end")
	}
}

// A hub ends the connection of a client whose message does not end, be it one that has said
// HELLO or not. The other clients stay, with what they have published.
func TestHub_endlessMessage(t *testing.T) {
	for _, hello := range []bool{false, true} {
		ctx := newContext(t)
		hub, client := newMember(t, ctx, steady()), newMember(t, ctx, steady())
		at := hub.bind("tcp://127.0.0.1:*")
		client.connect(at)
		client.publish("k", "v")
		hub.has("k=v")
		r, err := zmtp.Dial(at, []byte("\x01ZG1endless"))
		if err != nil {
			t.Fatal(err)
		}
		if hello {
			if _, err := r.Write(zmtp.AppendFrame(nil, appendHead(nil, idHello), false)); err != nil {
				t.Fatal(err)
			}
			hub.until("client", func() bool { return hub.Stats().Clients == 2 })
		}
		checkEndless(t, r)
		hub.until("count", func() bool { return hub.Stats().Ended == 1 })
		client.publish("k", "w") // on the same connection as before
		hub.has("k=w")
		if s := client.Stats(); s.Hellos != 1 {
			t.Errorf("hello %t: the honest client said HELLO %d times, want once: %+v; the hub: %+v", hello, s.Hellos, s, hub.Stats())
		}
	}
}

// A client of a hub ends the connection if a message of the hub does not end, and connects
// again, whatever the form of the endpoint.
func TestHub_endlessAnswer(t *testing.T) {
	for _, form := range []string{"tcp://127.0.0.1:%d", "tcp://127.0.0.1:0;127.0.0.1:%d", "tcp://0.0.0.0:%d"} {
		t.Run(form, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client := newMember(t, newContext(t), steady())
			client.connect(fmt.Sprintf(form, l.Addr().(*net.TCPAddr).Port))
			for range 2 {
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				r, err := zmtp.Accept(c)
				if err != nil {
					t.Fatal(err)
				}
				checkEndless(t, r)
			}
			if s := client.Stats(); s.Ended < 1 {
				t.Errorf("%d connections were ended, want 1 or 2", s.Ended)
			}
		})
	}
}

// However much honest clients and hubs tell each other, nobody's connection is ended.
func TestHub_honestTraffic(t *testing.T) {
	ctx := newContext(t)
	hub, client, other := newMember(t, ctx, steady()), newMember(t, ctx, steady()), newMember(t, ctx, steady())
	at := hub.bind("tcp://127.0.0.1:*")
	client.connect(at)
	other.connect(at)
	value := strings.Repeat("v", MaxValue)
	for i := range 4000 {
		client.publish(fmt.Sprint("k", i), value)
	}
	client.publish("end", "1")
	other.until("end", func() bool { return other.seen["end"] == "1" })
	for _, m := range []*member{hub, client, other} {
		if s := m.Stats(); s.Ended != 0 {
			t.Errorf("%d connections were ended, want none: %+v", s.Ended, s)
		}
	}
}

// Connections that belong to no client are at most 256 of one host; the clients of that host
// stay.
func TestHub_strangers(t *testing.T) {
	ctx := newContext(t)
	hub, client := newMember(t, ctx, steady()), newMember(t, ctx, steady())
	at := hub.bind("tcp://127.0.0.1:*")
	client.connect(at)
	client.publish("k", "v")
	hub.has("k=v")
	const most, count = 256, 280
	for range count {
		r, err := zmtp.DialGreeting(at, "NULL")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	hub.until("ended", func() bool { return hub.Stats().Ended == count-most })
	client.publish("k", "w")
	hub.has("k=w")
	if s := client.Stats(); s.Hellos != 1 {
		t.Errorf("the honest client said HELLO %d times, want once: %+v; the hub: %+v", s.Hellos, s, hub.Stats())
	}
}

// What a hub refuses counts as read all the same: the connection stays.
func TestHub_refusedCounts(t *testing.T) {
	hub := newMember(t, newContext(t), steady())
	at := hub.bind("tcp://127.0.0.1:*")
	r, err := zmtp.Dial(at, []byte("\x01ZG1refused"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Write(zmtp.AppendFrame(nil, appendHead(nil, idHello), false)); err != nil {
		t.Fatal(err)
	}
	hub.until("client", func() bool { return hub.Stats().Clients == 1 })
	const count = 100
	malformed := zmtp.AppendFrame(nil, make([]byte, 40<<10), false)
	for i := range count { // 4 MB
		if _, err := r.Write(malformed); err != nil {
			t.Fatalf("after %d messages: %v", i, err)
		}
	}
	hub.until("read", func() bool { return hub.Stats().Malformed == count })
	if _, err := r.Write(zmtp.AppendFrame(nil, appendPublish(nil, "k", "v", 0), false)); err != nil {
		t.Fatal(err)
	}
	hub.has("k=v")
	if s := hub.Stats(); s.Ended != 0 {
		t.Errorf("%d connections were ended, want none", s.Ended)
	}
}
