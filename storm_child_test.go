//go:build unix

package zyre

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childExpired is the expired timeout of child nodes.
const childExpired = 2 * time.Second

// A child is a node that prints its events and whispers a running number to every peer,
// until its input ends.
var _ = registerHelper("child", func(args []string, in io.Reader, out io.Writer) error {
	var ports [2]int // UDP, TCP
	for i := range ports {
		var err error
		if ports[i], err = strconv.Atoi(args[1+i]); err != nil {
			return err
		}
	}
	z := loopbackNode(args[0], ports[0]).SetEvasiveTimeout(500 * time.Millisecond).
		SetSilentTimeout(time.Second).SetExpiredTimeout(childExpired).SetBeaconPeerPort(ports[1])
	if err := z.Start(); err != nil {
		return err
	}
	fmt.Fprintln(out, "READY", z.UUID())
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, in)
		z.Stop()
	}()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; {
		select {
		case e, ok := <-z.Events():
			if !ok {
				return nil
			}
			fmt.Fprintln(out, describe(e))
		case <-ticker.C:
			n++
			for _, p := range z.Peers() {
				z.Whispers(p, "%d", n)
			}
		}
	}
})

// startChild starts a child and waits until it runs.
func startChild(t *testing.T, name string, port, peerPort int) *testProc {
	t.Helper()
	p := startHelper(t, nil, "child", name, strconv.Itoa(port), strconv.Itoa(peerPort))
	p.name = name
	p.expect("^READY ")
	return p
}

// Two of our nodes that were both stopped for longer than the expired timeout find
// back to each other, and the application sees hardly anything of it.
func TestStorm_bothProcessesFrozen(t *testing.T) {
	for _, first := range []string{"both at once", "one only", "one after the other"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			port := freeUDPPort(t)
			a, b := startChild(t, "a", port, 0), startChild(t, "b", port, 0)
			whispered := func() {
				t.Helper()
				na, nb := a.count("WHISPER b"), b.count("WHISPER a")
				eventually(t, "whispers both ways", func() bool {
					return a.count("WHISPER b") > na+10 && b.count("WHISPER a") > nb+10
				})
			}
			whispered()
			a.signal(syscall.SIGSTOP)
			if first == "one after the other" {
				pause(childExpired / 2)
			}
			if first != "one only" {
				b.signal(syscall.SIGSTOP)
			}
			pause(childExpired + childExpired/2)
			a.signal(syscall.SIGCONT)
			if first == "one after the other" {
				pause(childExpired / 2)
			}
			b.signal(syscall.SIGCONT)
			pause(3 * time.Second) // time for a storm
			whispered()
			for _, c := range []*testProc{a, b} {
				exits, enters := c.count("EXIT"), c.count("ENTER")
				if exits > 2 || enters != exits+1 {
					t.Errorf("%s saw %d EXITs and %d ENTERs, want at most 2 and one more:\n%s",
						c.name, exits, enters, c.output())
				}
				t.Logf("%s: EXIT %d, EVASIVE %d", c.name, exits, c.count("EVASIVE"))
			}
		})
	}
}

// A process that is killed and comes back at the same endpoint under another UUID:
// the old one is gone at once.
func TestStorm_restartAtSameEndpoint(t *testing.T) {
	port := freeUDPPort(t)
	z := newLoopbackNode(t, "watcher", port)
	mustStart(t, z)
	r := record(z)
	peerPort := freeTCPPort(t)
	old := startChild(t, "old", port, peerPort)
	r.wait(t, "ENTER old", 1)
	r.wait(t, "WHISPER old", 5)
	old.kill()
	killed := time.Now()
	young := startChild(t, "young", port, peerPort)
	r.wait(t, "ENTER young", 1)
	took := time.Since(killed)
	t.Logf("ENTER %v after the kill", took)
	if took > 5*time.Second {
		t.Errorf("ENTER of the new one came %v after the kill, want less than 5s", took)
	}
	r.wait(t, "WHISPER young", 5)
	z.Whispers(z.Peers()[0], "hello")
	eventually(t, "young hears WHISPER", func() bool { return young.count("WHISPER watcher hello") == 1 })
	seen, _ := r.events()
	var order []string
	for _, e := range seen {
		if e.Type == eventEnter || e.Type == eventExit {
			order = append(order, e.Type+" "+e.PeerName)
		}
	}
	if got, want := strings.Join(order, ", "), "ENTER old, EXIT old, ENTER young"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

// freeTCPPort finds a TCP port that nobody uses.
func freeTCPPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
