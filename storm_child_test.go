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

// A peer whose goodbye is lost and that starts again under the same UUID.
func TestStorm_restartWithSameUUID(t *testing.T) {
	for name, model := range models {
		t.Run(name, func(t *testing.T) {
			port := freeUDPPort(t)
			z := newLoopbackNode(t, "ours", port)
			mustStart(t, z)
			r := record(z)
			old := newFakePeer(t, "fake", z, model)
			old.announce()
			r.wait(t, "ENTER fake", 1)
			old.whisper("first life")
			r.wait(t, "WHISPER fake first life", 1)
			old.close()
			again := newFakePeer(t, "fake", z, model)
			again.uuid, again.identity = old.uuid, old.identity
			again.greet(firstEndpoint(z))
			r.wait(t, "EXIT fake", 1)
			r.wait(t, "ENTER fake", 2)
			again.announce()
			again.whisper("second life")
			r.wait(t, "WHISPER fake second life", 1)
			n := 0
			eventually(t, "the new one hears WHISPER", func() bool {
				n++
				z.Whispers(again.uuidText(), "to you %d", n)
				pause(50 * time.Millisecond)
				return again.heard(WhisperID) > 0
			})
			if got := z.PeerAddress(again.uuidText()); got != again.endpoint {
				t.Errorf("PeerAddress() = %s, want %s", got, again.endpoint)
			}
			if exits := r.count("EXIT"); exits > 2 {
				t.Errorf("EXIT came %d times, want at most 2", exits)
			}
		})
	}
}

// A peer that starts again so quickly that its HELLO could be the answer to ours:
// when it does not take what we send, we say HELLO again, and what was sent
// meanwhile is not lost silently.
func TestStorm_restartUnnoticed(t *testing.T) {
	z := newLoopbackNode(t, "ours", freeUDPPort(t))
	mustStart(t, z)
	r := record(z)
	f := newFakePeer(t, "fake", z, nil)
	f.greet(firstEndpoint(z), "hall")
	r.wait(t, "ENTER fake", 1)
	f.greet(firstEndpoint(z), "hall")
	z.Whispers(f.uuidText(), "lost")
	r.wait(t, "EXIT fake", 1)
	r.wait(t, "ENTER fake", 2)
	r.wait(t, "JOIN fake hall", 2)
	eventually(t, "a second HELLO", func() bool { return f.heard(HelloID) == 2 })
	f.whisper("in sequence")
	r.wait(t, "WHISPER fake in sequence", 1)
	if n := r.count("EXIT"); n != 1 {
		t.Errorf("EXIT came %d times, want 1", n)
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
