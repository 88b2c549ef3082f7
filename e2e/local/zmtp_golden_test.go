package local_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

// golden finds what libzyre sent on a TCP connection, by the beginning of its description.
func golden(t *testing.T, what string) []byte {
	t.Helper()
	return wiretest.Find(t, wiretest.Captures(t, "../..", "zmtp.jsonl"), "libzyre", "zmtp: "+what).Frames[0]
}

// On a TCP connection a node sends, byte for byte, what libzyre sends: greeting, READY
// and HELLO differ by nothing but its UUID and endpoint.
func TestZMTP_goldenConnection(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, "node", port).SetHeader("K", "V")
	z.Join("G")
	kit.MustStart(t, z)
	sendBeacon(t, port, [16]byte([]byte("a plain listener")), l.Addr().(*net.TCPAddr).Port)

	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id := routingID(kit.UUIDBytes(t, z))
	ready := golden(t, "command READY (DEALER")
	copy(ready[len(ready)-len(id):], id) // the last property
	for _, step := range []struct {
		answerTo string // what the listener sends before
		want     []byte
	}{
		{"greeting (ROUTER", golden(t, "greeting (DEALER")},
		{"command READY (ROUTER", ready},
		{"", zmtpHello(t, golden(t, "message frame"), kit.Endpoint(t, z))},
	} {
		if step.answerTo != "" {
			if _, err := conn.Write(golden(t, step.answerTo)); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(step.want))
		err := conn.SetReadDeadline(time.Now().Add(watch.Patience))
		if _, e := io.ReadFull(conn, got); errors.Join(err, e) != nil {
			t.Fatalf("after %q: %v", step.answerTo, errors.Join(err, e))
		}
		if !bytes.Equal(got, step.want) {
			t.Errorf("after %q: a node sends\n%x, want\n%x", step.answerTo, got, step.want)
		}
	}
}

// zmtpHello puts another endpoint into a ZMTP frame with a HELLO.
func zmtpHello(t *testing.T, frame []byte, endpoint string) []byte {
	t.Helper()
	m, err := foreign.Parse(frame[2:])
	if err != nil {
		t.Fatal(err)
	}
	m.Endpoint = endpoint
	hello, err := m.Append([]byte{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	hello[1] = byte(len(hello) - 2)
	return hello
}
