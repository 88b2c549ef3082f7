//go:build linux

package zyre

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	args := append([]string{"-o", program, filepath.Join("internal", "interop", source)},
		strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v: %s", source, err, out)
	}
	return program
}

// zreBeacon is the 22 bytes of a beacon whose UUID is one letter repeated.
func zreBeacon(letter string) string {
	return "ZRE\x01" + strings.Repeat(letter, 16) + "\x30\x39"
}

// quoted is a datagram as beaconHelper writes it, as a pattern.
func quoted(letter string) string {
	return `ZRE\\x01` + strings.Repeat(letter, 16) + `09`
}

// CZMQ's zbeacon and ours hear each other, on one host and between two. Not on
// loopback, which CZMQ 4.2.1 refuses: "No broadcast interface found".
func TestNetBeacon_czmq(t *testing.T) {
	program := buildCZMQ(t, "czmq_beacon.c")
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	czmq := a.exec(nil, program, beaconPort, "eth0", hex.EncodeToString([]byte(zreBeacon("C"))))
	czmq.expect(`^ADDRESS 10\.78\.0\.1$`)
	near := a.start("beacon", beaconPort, "", zreBeacon("N"))
	far := b.start("beacon", beaconPort, "", zreBeacon("F"))
	far.expect(heard(quoted("C"), `10\.78\.0\.1`, "eth0"))
	near.expect(heard(quoted("C"), `10\.78\.0\.1`, "eth0"))
	czmq.expect(`^HEARD 10\.78\.0\.2 ` + strings.ToUpper(hex.EncodeToString([]byte(zreBeacon("F")))))
	czmq.expect(`^HEARD 10\.78\.0\.1 ` + strings.ToUpper(hex.EncodeToString([]byte(zreBeacon("N")))))
}

func TestNetBeacon_czmqIPv6(t *testing.T) {
	program := buildCZMQ(t, "czmq_beacon.c")
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "fe80::a1/64")
	b.connect("lan", "eth0", "fe80::b1/64")
	czmq := a.exec(nil, program, beaconPort, "eth0", hex.EncodeToString([]byte(zreBeacon("C"))), "ipv6")
	t.Log(czmq.expect("^ADDRESS "))
	far := b.start("beacon", beaconPort, "", zreBeacon("F"))
	t.Log(far.expect(`^HEARD "` + quoted("C")))
	t.Log(czmq.expect("^HEARD .* " + strings.ToUpper(hex.EncodeToString([]byte(zreBeacon("F"))))))
}
