//go:build unix

package zyre

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childVariable tells the test binary that it is a node of its own: UDP port, TCP
// port and name.
const childVariable = "ZYRE_TEST_CHILD"

// childExpired is the expired timeout of child nodes.
const childExpired = 2 * time.Second

// TestChild is the body of a child process: a node that prints its events and
// whispers a running number to every peer, until its input ends.
func TestChild(t *testing.T) {
	var port, peerPort int
	var name string
	if _, err := fmt.Sscan(os.Getenv(childVariable), &port, &peerPort, &name); err != nil {
		t.Skip("not a child of another test")
	}
	z := newLoopbackNode(t, name, port).SetEvasiveTimeout(500 * time.Millisecond).
		SetSilentTimeout(time.Second).SetExpiredTimeout(childExpired).SetBeaconPeerPort(peerPort)
	mustStart(t, z)
	fmt.Println("READY", z.UUID())
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		z.Stop()
	}()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; {
		select {
		case e, ok := <-z.Events():
			if !ok {
				return
			}
			fmt.Println(describe(e))
		case <-ticker.C:
			n++
			for _, p := range z.Peers() {
				z.Whispers(p, "%d", n)
			}
		}
	}
}

// stormChild is a node in a process of its own.
type stormChild struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when its output has ended

	mu    sync.Mutex
	lines []string
}

// startChild starts a child and waits until it runs.
func startChild(t *testing.T, name string, port, peerPort int) *stormChild {
	t.Helper()
	c := &stormChild{t: t, name: name, done: make(chan struct{})}
	c.cmd = exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", childVariable, port, peerPort, name))
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			c.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		c.signal(syscall.SIGCONT)
		c.kill()
	})
	eventually(t, name+" runs", func() bool { return c.count("READY") == 1 })
	return c
}

func (c *stormChild) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// kill ends the child as kill -9 does.
func (c *stormChild) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
	_ = c.cmd.Wait()
}

// count tells how many lines of output begin with a word or words.
func (c *stormChild) count(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		if strings.HasPrefix(l+" ", prefix+" ") {
			n++
		}
	}
	return n
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
			for _, c := range []*stormChild{a, b} {
				exits, enters := c.count("EXIT"), c.count("ENTER")
				if exits > 2 || enters != exits+1 {
					t.Errorf("%s saw %d EXITs and %d ENTERs, want at most 2 and one more:\n%s",
						c.name, exits, enters, strings.Join(c.lines, "\n"))
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
