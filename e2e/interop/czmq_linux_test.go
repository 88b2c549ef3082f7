package interop

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// buildCZMQ compiles a program of internal/interop, or skips the test.
func buildCZMQ(t *testing.T, source string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libczmq").Output()
	if err != nil {
		t.Skipf("no libczmq by pkg-config: %v", err)
	}
	program := filepath.Join(t.TempDir(), strings.TrimSuffix(source, ".c"))
	args := append([]string{"-o", program, filepath.Join("..", "..", "internal", "interop", source)},
		strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v: %s", source, err, out)
	}
	return program
}

// beaconOf is the beacon of a node whose UUID is one letter repeated.
func beaconOf(letter string) []byte {
	return child.BeaconOf([16]byte([]byte(strings.Repeat(letter, 16))), 12345)
}

func inHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

const beaconPort = "5670"

// publish starts a Beacon on a host, in a process of its own.
func publish(h *netns.Host, letter string) *child.Beacon {
	return h.Start("Beacon "+letter).Beacon(letter, child.BeaconConfig{Port: 5670, Datagram: beaconOf(letter)})
}

// CZMQ's zbeacon and ours hear each other, on one host and between two. Not on
// loopback, which CZMQ 4.2.1 refuses: "No broadcast interface found".
func TestNetBeacon_czmq(t *testing.T) {
	program := buildCZMQ(t, "czmq_beacon.c")
	h := netns.NewLAN(t, "a", "b")
	czmq := h[0].Program(program, beaconPort, "eth0", inHex(beaconOf("C")))
	czmq.Expect(`^ADDRESS 10\.78\.0\.1$`)
	near, far := publish(h[0], "N"), publish(h[1], "F")
	far.Wait(t, string(beaconOf("C")), "10.78.0.1")
	near.Wait(t, string(beaconOf("C")), "10.78.0.1")
	czmq.Expect(`^HEARD 10\.78\.0\.2 ` + inHex(beaconOf("F")))
	czmq.Expect(`^HEARD 10\.78\.0\.1 ` + inHex(beaconOf("N")))
}

func TestNetBeacon_czmqIPv6(t *testing.T) {
	program := buildCZMQ(t, "czmq_beacon.c")
	n := netns.New(t)
	n.Switch("lan")
	a, b := n.Host("a"), n.Host("b")
	a.Connect("lan", "eth0", "fe80::a1/64")
	b.Connect("lan", "eth0", "fe80::b1/64")
	czmq := a.Program(program, beaconPort, "eth0", inHex(beaconOf("C")), "ipv6")
	t.Log(czmq.Expect("^ADDRESS "))
	publish(b, "F").Wait(t, string(beaconOf("C")), "")
	t.Log(czmq.Expect("^HEARD .* " + inHex(beaconOf("F"))))
}

// static makes a node of this process that does not beacon.
func static(t *testing.T, name string) *zyre.Zyre {
	t.Helper()
	z := zyre.NewZyre(t.Context()).SetName(name).SetInterface("lo")
	must(t, "SetEndpoint", z.SetEndpoint("tcp://127.0.0.1:*"))
	t.Cleanup(z.Stop)
	return z
}

// Nodes find each other through a hub of CZMQ, and tell a client of CZMQ of themselves.
func TestZyre_gossipWithCZMQ(t *testing.T) {
	program := buildCZMQ(t, "czmq_gossip.c")
	t.Run("hub", func(t *testing.T) {
		hub := child.StartProgram(t, "czmq hub", nil, program, "hub", "tcp://127.0.0.1:*")
		at := "tcp://127.0.0.1:" + strings.Fields(hub.Expect("^PORT "))[1]
		hub.Expect("^READY")
		a, b := static(t, "alice"), static(t, "bob")
		a.GossipConnect("%s", at)
		ra := watch.Start(t, a)
		hub.Expect("^DELIVER " + a.UUID() + " " + child.Endpoint(a))
		// CZMQ forgets who is quiet for a second. The clock tells when that is over.
		port := kit.FreeUDPPort(t)
		clock := kit.NewNode(t, "clock", port).SetEvasiveTimeout(500 * time.Millisecond).
			SetSilentTimeout(time.Second).SetExpiredTimeout(1500 * time.Millisecond)
		expire(t, port, watch.Start(t, clock))
		b.GossipConnect("%s", at)
		rb := watch.Start(t, b)
		ra.Wait(t, "ENTER bob", 1)
		rb.Wait(t, "ENTER alice", 1)
		start := time.Now()
		b.Stop()
		ra.Wait(t, "EXIT bob", 1)
		if took := time.Since(start); took > time.Second {
			t.Errorf("EXIT %v after Stop, want less than 1s", took)
		}
	})
	t.Run("client", func(t *testing.T) {
		a, b := static(t, "alice"), static(t, "bob")
		a.GossipBind("tcp://127.0.0.1:*")
		ra := watch.Start(t, a)
		watch.Start(t, b) // bob is told of by CZMQ alone
		client := child.StartProgram(t, "czmq client", nil, program, "client", a.GossipEndpoint(), b.UUID(), child.Endpoint(b))
		client.Expect("^DELIVER " + a.UUID() + " " + child.Endpoint(a))
		ra.Wait(t, "ENTER bob", 1)
		a.Stop()
	})
}
