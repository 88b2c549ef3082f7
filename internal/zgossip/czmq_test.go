package zgossip

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildCZMQ compiles the program that drives CZMQ's own zgossip, once.
var buildCZMQ = sync.OnceValues(func() (path, skip string) {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libczmq").Output()
	if err != nil {
		return "", "no libczmq: " + err.Error()
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		return "", "no C compiler: " + err.Error()
	}
	dir, err := os.MkdirTemp("", "zgossip")
	if err != nil {
		return "", err.Error()
	}
	path = filepath.Join(dir, "czmq_gossip")
	args := append([]string{"-Wall", "-O1", "-o", path, "../interop/czmq_gossip.c"}, strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		return "", "cannot compile against libczmq: " + err.Error() + "\n" + string(out)
	}
	return path, ""
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, skip := built(); skip == "" && path != "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// built is what buildCZMQ returned, if a test called it.
var built = func() (string, string) { return "", "never built" }

// czmq is a process that runs a zgossip actor.
type czmq struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
	port  string
	seen  map[string]string
}

func newCZMQ(t *testing.T, args ...string) *czmq {
	t.Helper()
	built = buildCZMQ
	path, skip := buildCZMQ()
	if skip != "" {
		t.Skip(skip)
	}
	c := &czmq{t: t, cmd: exec.Command(path, args...), lines: make(chan string, 1000), seen: map[string]string{}}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
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
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { c.stop() })
	for line := range c.lines {
		if port, ok := strings.CutPrefix(line, "PORT "); ok {
			c.port = port
		}
		if line == "READY" {
			break
		}
	}
	return c
}

// at is where a hub is bound, given where it was asked to be.
func (c *czmq) at() string {
	at := c.cmd.Args[len(c.cmd.Args)-1]
	return at[:strings.LastIndexByte(at, ':')+1] + c.port
}

// stop ends the process and checks that it did not crash: it can read every frame of ours.
func (c *czmq) stop() {
	if c.cmd == nil {
		return
	}
	c.stdin.Close()
	for range c.lines {
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("CZMQ ended with %v, want no error", err)
	}
	c.cmd = nil
}

func (c *czmq) publish(key, value string) {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, "PUBLISH "+key+" "+value+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// has waits until CZMQ has delivered exactly kv, "key=value" each.
func (c *czmq) has(kv ...string) {
	c.t.Helper()
	want := map[string]string{}
	for _, s := range kv {
		k, v, _ := strings.Cut(s, "=")
		want[k] = v
	}
	limit := time.After(patience)
	for !maps.Equal(c.seen, want) {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.t.Fatalf("CZMQ ended; it had %v, want %v", c.seen, want)
			}
			if f := strings.SplitN(line, " ", 3); len(f) == 3 && f[0] == "DELIVER" {
				c.seen[f[1]] = f[2]
			}
		case <-limit:
			c.t.Fatalf("CZMQ has %v, want %v", c.seen, want)
		}
	}
}

// Our clients stay known to CZMQ's hub, which forgets a client that is silent for a second.
func TestCZMQ_hub(t *testing.T) {
	ctx := newContext(t)
	hub := newCZMQ(t, "hub", "tcp://127.0.0.1:*")
	client := newCZMQ(t, "client", hub.at(), "c", "1")
	a, b, idle := newMember(t, ctx, Options{}), newMember(t, ctx, Options{}), newMember(t, ctx, Options{})
	a.publish("a", "1")
	b.publish("b", "1")
	for _, m := range []*member{a, b, idle} {
		m.connect(hub.at())
	}
	hub.has("a=1", "b=1", "c=1")
	a.has("b=1", "c=1")
	idle.has("a=1", "b=1", "c=1")

	// Only PINGs keep the clients known, for more than twice as long as the hub waits for one.
	pings := idle.Stats().Pings
	idle.until("six PINGs more", func() bool { return idle.Stats().Pings >= pings+6 })
	a.publish("late", "1")
	b.has("a=1", "c=1", "late=1")
	idle.has("a=1", "b=1", "c=1", "late=1")
	hub.has("a=1", "b=1", "c=1", "late=1")

	// A tombstone passes through CZMQ, where it is a value like any other.
	a.Close()
	b.has("c=1")
	hub.has("a=", "b=1", "c=1", "late=")
	late := newMember(t, ctx, Options{})
	late.connect(hub.at())
	late.has("b=1", "c=1")
	if late.gone["a"] != 0 {
		t.Errorf("a newcomer saw a go %d times, want 0", late.gone["a"])
	}
	_ = client
}

func TestCZMQ_hubRestart(t *testing.T) {
	ctx := newContext(t)
	// An address of this process alone: nobody takes the port while the hub is gone.
	pid := os.Getpid()
	hub := newCZMQ(t, "hub", fmt.Sprintf("tcp://127.%d.%d.2:*", 1+pid>>8&127, pid&255))
	a, b, idle := newMember(t, ctx, Options{}), newMember(t, ctx, Options{}), newMember(t, ctx, Options{})
	a.publish("a", "1")
	b.publish("b", "1")
	for _, m := range []*member{a, b, idle} {
		m.connect(hub.at())
	}
	hub.has("a=1", "b=1")
	idle.has("a=1", "b=1")
	at := hub.at()
	hub.stop()
	start := time.Now()
	again := newCZMQ(t, "hub", at)
	again.has("a=1", "b=1")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("tuples were back after %v, want less than 5s", d)
	}
	a.publish("late", "1")
	b.has("a=1", "late=1")
	idle.has("a=1", "b=1", "late=1")
}

// CZMQ's clients are always silent. Our hub sends them everything nevertheless.
func TestCZMQ_client(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	hub.publish("hub", "1")
	c, d := newCZMQ(t, "client", at, "c", "1"), newCZMQ(t, "client", at, "d", "1")
	a := newMember(t, ctx, quick())
	a.publish("a", "1")
	a.connect(at)
	hub.has("a=1", "c=1", "d=1")
	c.has("a=1", "c=1", "d=1", "hub=1")
	d.has("a=1", "c=1", "d=1", "hub=1")

	// They are silent for twice as long as a client that sends PING may be.
	for n := range 2 {
		witness := newRaw(t, ctx, at)
		witness.send(appendHead(nil, idHello))
		witness.send(appendHead(nil, idPing))
		hub.until("the end of a client that pings", func() bool { return hub.Stats().Expired == uint64(n+1) })
	}
	c.publish("late", "1")
	d.has("a=1", "c=1", "d=1", "hub=1", "late=1")
	a.has("c=1", "d=1", "hub=1", "late=1")
	a.publish("a", "2")
	c.has("a=2", "c=1", "d=1", "hub=1", "late=1")
	a.Close()
	hub.has("c=1", "d=1", "late=1")
	d.has("a=", "c=1", "d=1", "hub=1", "late=1")
	// What they send back restores no former value, and no change follows another for ever:
	// each sends back what it has before it publishes the next.
	before := hub.Stats()
	c.publish("c", "2")
	c.publish("c", "3")
	d.has("a=", "c=3", "d=1", "hub=1", "late=1")
	d.publish("d", "2")
	c.has("a=", "c=3", "d=2", "hub=1", "late=1")
	c.publish("last", "1")
	hub.has("c=3", "d=2", "late=1", "last=1")
	after := hub.Stats()
	if after.Changed != before.Changed+3 || after.Gone != before.Gone || after.Defended != before.Defended {
		t.Errorf("Stats() of the hub went from %+v to %+v, want three changes", before, after)
	}
}

func TestCZMQ_clientHubRestart(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	c := newCZMQ(t, "client", at, "c", "1")
	hub.has("c=1")
	hub.Close()
	again := newMember(t, ctx, quick())
	again.until("a bind", func() bool { _, err := again.Bind(at); return err == nil })
	again.has("c=1")
	again.publish("x", "1")
	c.has("c=1", "x=1")
}
