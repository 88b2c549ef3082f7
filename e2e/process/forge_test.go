//go:build unix

package process

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/watch"
)

// forge announces, until the end of the test, a node that does not exist at an endpoint
// of another.
func forge(t *testing.T, port int, uuid, endpoint string) {
	t.Helper()
	ap, err := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	b := zyre.NewBeacon()
	t.Cleanup(b.Close)
	datagram := child.BeaconOf([16]byte(append([]byte(uuid), make([]byte, 16)...)), ap.Port())
	for _, c := range []*zyre.Cmd{
		{ID: "INTERFACE", Payload: "lo"}, {ID: "INTERVAL", Payload: 100 * time.Millisecond},
		{ID: "CONFIGURE", Payload: port}, {ID: "PUBLISH", Payload: datagram},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			t.Fatal(reply.Err)
		}
	}
}

// uuidOf returns the bytes of a UUID.
func uuidOf(t testing.TB, text string) [16]byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 16 {
		t.Fatalf("%q is no UUID: %v", text, err)
	}
	return [16]byte(b)
}

// sendBeacon sends a forged beacon to all nodes of this host on a UDP port.
func sendBeacon(t testing.TB, udp int, uuid [16]byte, port uint16) {
	t.Helper()
	sendDatagrams(t, udp, child.BeaconOf(uuid, port))
}

// sendDatagrams sends datagrams to all nodes of this host on a UDP port.
func sendDatagrams(t testing.TB, udp int, datagrams ...[]byte) {
	t.Helper()
	c, err := net.Dial("udp4", fmt.Sprintf("127.255.255.255:%d", udp))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const batch = 64 // more at once, and the kernel drops what follows
	watch.Paced(time.Millisecond, func() (last bool) {
		for _, d := range datagrams[:min(batch, len(datagrams))] {
			if _, err := c.Write(d); err != nil {
				t.Errorf("send a datagram of %d bytes: %v", len(d), err)
			}
		}
		datagrams = datagrams[min(batch, len(datagrams)):]
		return len(datagrams) == 0
	})
}
