package zyre

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// long chooses between the full and the short form of a number: ZYRE_LONG=1 in
// the environment asks for the full one.
func long[T any](full, short T) T {
	if os.Getenv("ZYRE_LONG") == "1" {
		return full
	}
	return short
}

// numberedPayload makes the i-th message of a stream, of the given size.
func numberedPayload(i, size int) []byte {
	msg := fmt.Appendf(make([]byte, 0, size), "%010d", i)
	return msg[:max(size, len(msg))]
}

// number is the number of a message made by numberedPayload, or -1.
func number(msg []byte) int {
	if len(msg) < 10 {
		return -1
	}
	if i, err := strconv.Atoi(string(msg[:10])); err == nil {
		return i
	}
	return -1
}

// pokeAll calls every method three times and returns the slowest by its best time,
// which load on the machine changes little: what waits for something that does not
// happen is slow each time. It shouts to nobody and
// keeps the node's name.
func pokeAll(z *Zyre) (slowest time.Duration, name string) {
	methods := everyMethod(z)
	own := z.Name()
	methods["SetName"] = func() { z.SetName(own) }
	methods["Shout"] = func() { z.Shout("nobody", []byte("x")) }
	methods["Shouts"] = func() { z.Shouts("nobody", "%d", 1) }
	for what, call := range methods {
		if took := timed(3, call)[0]; took >= slowest {
			slowest, name = took, what
		}
	}
	return slowest, strings.ReplaceAll(name, " ", "_")
}

// timed calls fn a number of times and returns how long that took, in order.
func timed(times int, fn func()) []time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		fn()
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

// forge announces a node that does not exist, at an endpoint of another.
func forge(t *testing.T, b *Beacon, port int, uuid []byte, endpoint string) {
	t.Helper()
	ap, err := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	datagram, err := newBeaconMsg([16]byte(append(uuid, make([]byte, 16)...)), ap.Port()).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: "lo"}, {ID: "INTERVAL", Payload: 100 * time.Millisecond},
		{ID: "CONFIGURE", Payload: port}, {ID: "PUBLISH", Payload: datagram},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			t.Fatal(reply.Err)
		}
	}
}

// messages counts the whispers and shouts that a recorder has seen.
func messages(r *recorder) (n int) {
	seen, _ := r.events()
	for _, e := range seen {
		if e.Type == eventWhisper || e.Type == eventShout {
			n++
		}
	}
	return n
}

// must fails the test if there is an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}
