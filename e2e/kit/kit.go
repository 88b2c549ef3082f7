// Package kit is what the black-box tests of nodes of one process share: such nodes, which
// stay on this host, free ports, CURVE keys, numbered messages, and a call of every method.
// It uses the public API of package zyre only. Package watch waits for what nodes report.
package kit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

var usedUDPPorts sync.Map // that FreeUDPPort has returned

// FreeUDPPort finds a UDP port that nobody uses, and that no other test of this process was
// given, so that the nodes of one test see no others.
func FreeUDPPort(t testing.TB) int {
	t.Helper()
	for {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := c.LocalAddr().(*net.UDPAddr).Port
		_ = c.Close()
		if _, used := usedUDPPorts.LoadOrStore(port, true); !used {
			return port
		}
	}
}

// QuietTCPPort finds a TCP port of loopback that nobody uses, and that the system gives to
// no connection.
func QuietTCPPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Long chooses between the full and the short form of a number: ZYRE_LONG=1 in the
// environment asks for the full one.
func Long[T any](full, short T) T {
	if os.Getenv("ZYRE_LONG") == "1" {
		return full
	}
	return short
}
