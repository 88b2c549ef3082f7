package kit

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// LoopbackNode makes a node that stays on this host, with beacons on a UDP port. Nobody
// stops it.
func LoopbackNode(name string, port int) *zyre.Zyre {
	return zyre.NewZyre(context.Background()).SetName(name).SetInterface("lo").SetPort(port).
		SetInterval(100 * time.Millisecond)
}

// NewNode makes a LoopbackNode that is stopped when the test ends.
func NewNode(t testing.TB, name string, port int) *zyre.Zyre {
	z := LoopbackNode(name, port)
	t.Cleanup(z.Stop)
	return z
}

// NewStaticNode makes a node without beacons. It is stopped when the test ends.
func NewStaticNode(t testing.TB, name string) *zyre.Zyre {
	t.Helper()
	z := zyre.NewZyre(context.Background()).SetName(name).SetInterface("lo")
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Stop)
	return z
}

// MustStart starts nodes.
func MustStart(t testing.TB, nodes ...*zyre.Zyre) {
	t.Helper()
	for _, z := range nodes {
		if err := z.Start(); err != nil {
			t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
		}
	}
}

// StopTime is how long Stop may take at the worst.
const StopTime = 1500 * time.Millisecond

// MustStopSoon stops a node, returns how long that took, and fails the test if it was
// long.
func MustStopSoon(t testing.TB, z *zyre.Zyre) time.Duration {
	t.Helper()
	start := time.Now()
	z.Stop()
	took := time.Since(start)
	if took > StopTime {
		t.Errorf("Stop(%s) took %v, want at most %v", z.Name(), took, StopTime)
	}
	return took
}

// QuickTimeouts makes a node notice silence within seconds.
func QuickTimeouts(z *zyre.Zyre, evasive, expired time.Duration) *zyre.Zyre {
	return z.SetEvasiveTimeout(evasive).SetSilentTimeout(2 * evasive).SetExpiredTimeout(expired)
}

// Endpoint returns where a running node's mailbox is bound.
func Endpoint(t testing.TB, z *zyre.Zyre) string {
	t.Helper()
	endpoint := EndpointOf(z)
	if endpoint == "" {
		t.Fatalf("%s is bound nowhere", z.Name())
	}
	return endpoint
}

// EndpointOf returns where a node's mailbox is bound, the first endpoint in its Dump; ""
// if it does not run.
func EndpointOf(z *zyre.Zyre) string {
	var dump bytes.Buffer
	z.Dump(&dump)
	_, rest, _ := strings.Cut(dump.String(), "\n  endpoints [")
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return ""
	}
	endpoint, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	return endpoint
}

// Port returns the port number at the end of an endpoint.
func Port(t testing.TB, endpoint string) int {
	t.Helper()
	port, err := strconv.Atoi(endpoint[strings.LastIndexByte(endpoint, ':')+1:])
	if err != nil {
		t.Fatalf("endpoint %q has no port", endpoint)
	}
	return port
}

// UUIDBytes returns the 16 bytes of a node's UUID.
func UUIDBytes(t testing.TB, z *zyre.Zyre) (uuid [16]byte) {
	t.Helper()
	if n, err := hex.Decode(uuid[:], []byte(z.UUID())); err != nil || n != len(uuid) {
		t.Fatalf("UUID() = %q, want 32 hexadecimal digits", z.UUID())
	}
	return uuid
}
