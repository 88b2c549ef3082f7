package transport_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// Both ends of a connection that is idle are probed: ROUTER, which never writes, as well.
func TestSetKeepalive(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	tr.DisableInproc()
	in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.77.77.77:*") // where nobody else is
	m := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: transporttest.Identity})
	transporttest.MustSend(t, m, transporttest.PingHeader)
	var p transport.Packet
	transporttest.MustRecv(t, in, &p)
	ap, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for keptAlive(t, ap.Port()) != 2 { // until what was sent is confirmed
		if time.Now().After(deadline) {
			t.Fatalf("%d ends of the connection have a keepalive timer, want 2", keptAlive(t, ap.Port()))
		}
		in.Wait(time.Now().Add(time.Millisecond))
	}
}

// keptAlive counts the ends of established connections, with a port of that address at
// either end, whose timer is that of keepalive.
func keptAlive(t *testing.T, port uint16) (count int) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(table)) {
		// sl local remote state queues timer:when …
		f := strings.Fields(line)
		if len(f) < 6 || f[3] != "01" || !strings.HasPrefix(f[5], "02:") {
			continue
		}
		if at := fmt.Sprintf("4D4D4D7F:%04X", port); f[1] == at || f[2] == at {
			count++
		}
	}
	return count
}
