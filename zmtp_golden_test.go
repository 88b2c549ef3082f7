package zyre

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// zmtpRecord finds what an implementation sent, by the beginning of its description.
func zmtpRecord(t *testing.T, records []goldenRecord, impl, what string) goldenRecord {
	t.Helper()
	for _, r := range records {
		if r.Impl == impl && strings.HasPrefix(r.What, "zmtp: "+what) {
			return r
		}
	}
	t.Fatalf("testdata has no %q of %s", what, impl)
	return goldenRecord{}
}

// The identity in the READY of every implementation's DEALER is a routing id of ZRE.
func TestZMTP_goldenIdentity(t *testing.T) {
	records := goldenRecords(t, "zmtp.jsonl")
	for _, impl := range []string{"libzyre", "pyre", "gozyre", "gyre", "zyrejs"} {
		r := zmtpRecord(t, records, impl, "command READY (DEALER")
		var want struct{ Properties struct{ Identity string } }
		if err := json.Unmarshal(r.Decoded, &want); err != nil {
			t.Fatal(err)
		}
		at := len(r.frames[0]) - identitySize // the last property
		uuid, ok := parseIdentity(r.frames[0][at:])
		if got := hex.EncodeToString(appendIdentity(nil, uuid)); !ok || got != want.Properties.Identity {
			t.Errorf("%s: identity = %s, %t, want %s, true", impl, got, ok, want.Properties.Identity)
		}
	}
}

// On a TCP connection a node sends, byte for byte, what libzyre sends: greeting, READY
// and HELLO differ by nothing but its UUID and endpoint.
func TestZMTP_goldenConnection(t *testing.T) {
	records := goldenRecords(t, "zmtp.jsonl")
	golden := func(what string) []byte {
		return bytes.Clone(zmtpRecord(t, records, "libzyre", what).frames[0])
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := freeUDPPort(t)
	z := newLoopbackNode(t, "node", port).SetHeader("K", "V")
	z.Join("G")
	mustStart(t, z)
	b := newBeacon(beaconConfig{logger: slog.New(slog.DiscardHandler)})
	defer b.Close()
	forge(t, b, port, []byte("a plain listener"), "tcp://"+l.Addr().String())

	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	uuid, _ := parseUUID(z.UUID())
	ready := golden("command READY (DEALER")
	copy(ready[len(ready)-identitySize:], appendIdentity(nil, uuid))
	for _, step := range []struct {
		send string
		want []byte
	}{
		{"greeting (ROUTER", golden("greeting (DEALER")},
		{"command READY (ROUTER", ready},
		{"", zmtpHello(t, golden("message frame"), firstEndpoint(z))},
	} {
		got := make([]byte, len(step.want))
		if step.send != "" {
			_, err = conn.Write(golden(step.send))
		}
		err = errors.Join(err, conn.SetReadDeadline(time.Now().Add(patience)))
		if _, e := io.ReadFull(conn, got); errors.Join(err, e) != nil {
			t.Fatalf("after %q: %v", step.send, errors.Join(err, e))
		}
		if !bytes.Equal(got, step.want) {
			t.Errorf("after %q: a node sends\n%x, want\n%x", step.send, got, step.want)
		}
	}
}

// zmtpHello puts another endpoint into a ZMTP frame with a HELLO.
func zmtpHello(t *testing.T, frame []byte, endpoint string) []byte {
	t.Helper()
	var v zreView
	if err := v.parse(frame[2:]); err != nil {
		t.Fatal(err)
	}
	m := v.message()
	m.Endpoint = endpoint
	hello, err := m.append([]byte{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	putSequence(hello[2:], 1)
	hello[1] = byte(len(hello) - 2)
	return hello
}
