//go:build unix

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// peerLine is what zyre peers --json writes of a peer.
type peerLine struct {
	UUID, Name, Endpoint string
	Groups               []string
	Headers              map[string]string
}

// pingReply is what zyre ping --json writes of a ping.
type pingReply struct {
	Seq   int
	RTT   float64 `json:"rtt_ms"`
	Error string
}

// eventLine is what sub and chat --json write of an event.
type eventLine struct {
	Type, Peer, Group string
	Text              *string
	Data              [][]byte
}

// hostile is a name that would control a terminal.
const hostile = "\x1b[2J\x1b]0;owned\a\u202eevil\xff\nline"

func TestPeers(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	alice, bob := kit.NewNode(t, "alice", port), kit.NewNode(t, hostile, port)
	alice.Join("hall")
	alice.SetHeader("role", "\x1btester")
	kit.MustStart(t, alice, bob)

	out, _ := zyreRun(t, 0, local(port, "peers", "--count", "2")...)
	checkContains(t, "zyre peers", out, "alice", alice.UUID(), alice.Endpoint(), "hall", bob.UUID(), `\x1b[2J\x1b]0;owned\a\u202eevil\xff\nline`)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || hasControls(strings.Join(lines, "")) {
		t.Errorf("zyre peers wrote\n%q\nwant 3 safe lines", out)
	}
	list := decode[peerLine](t, firstOf(zyreRun(t, 0, local(port, "peers", "--count", "1", "--group", "hall,other", "--json")...)))
	if len(list) != 1 || list[0].UUID != alice.UUID() || list[0].Name != "alice" || list[0].Endpoint != alice.Endpoint() ||
		!slices.Equal(list[0].Groups, []string{"hall"}) || list[0].Headers["role"] != "\x1btester" {
		t.Errorf("zyre peers --json = %+v, want alice", list)
	}
	out, stderr := zyreRun(t, 1, local(port, "peers", "--count", "3", "--wait", "1s")...)
	checkContains(t, "stderr", stderr, "2 of 3 nodes")
	checkContains(t, "zyre peers", out, "alice")
	// The environment says the same as the flags.
	out, _ = zyreRun(t, 0, "ZYRE_INTERFACE=lo", fmt.Sprint("ZYRE_PORT=", port), "ZYRE_GROUP=hall", "peers", "--count", "1")
	checkContains(t, "zyre peers", out, "alice")
}

func TestPeers_none(t *testing.T) {
	out, stderr := zyreRun(t, 0, local(kit.FreeUDPPort(t), "peers", "--wait", "100ms")...)
	checkContains(t, "stderr", stderr, "no nodes")
	if out != "" {
		t.Errorf("zyre peers = %q, want nothing", out)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	alice, bob := kit.NewNode(t, "alice", port), kit.NewNode(t, hostile, port)
	kit.MustStart(t, alice, bob)

	out, _ := zyreRun(t, 0, local(port, "ping", "alice", "--count", "3", "--every", "50ms")...)
	checkContains(t, "zyre ping", out, "alice "+alice.UUID()[:6], "seq=1 time=", "seq=2 time=", "seq=3 time=", "3 sent, 3 answered, 0 % lost", "median")
	out, _ = zyreRun(t, 0, local(port, "ping", bob.UUID()[:8], "--count", "1")...)
	if hasControls(strings.ReplaceAll(out, "\n", "")) {
		t.Errorf("zyre ping wrote %q, which is not safe", out)
	}
	lines := decode[pingReply](t, firstOf(zyreRun(t, 0, local(port, "ping", alice.UUID(), bob.UUID(), "--count", "2", "--every", "50ms", "--json")...)))
	if len(lines) != 6 {
		t.Errorf("zyre ping --json wrote %+v, want 4 replies and 2 summaries", lines)
	}
	for _, l := range lines[:4] {
		if l.Error != "" || l.RTT <= 0 || l.Seq < 1 || l.Seq > 2 {
			t.Errorf("reply %+v, want a round trip", l)
		}
	}
	_, stderr := zyreRun(t, 1, local(port, "ping", "nobody", "--wait", "500ms")...)
	checkContains(t, "stderr", stderr, "no node called nobody")
	_, stderr = zyreRun(t, 1, local(kit.FreeUDPPort(t), "ping", "--wait", "100ms")...)
	checkContains(t, "stderr", stderr, "no node is here")
}

// A node that is stopped does not answer, and one that has left says so.
func TestPing_lost(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	bob := child.Run(t, child.Config{Name: "bob", Interface: "lo", Port: port, Interval: 100 * time.Millisecond})
	p := start(t, local(port, "ping", "bob", "--every", "100ms", "--timeout", "300ms")...)
	p.expect("seq=1 time=")
	bob.Process.Signal(syscall.SIGSTOP)
	p.expect("no reply within 300ms")
	bob.Process.Signal(syscall.SIGCONT)
	mark := len(p.out.String())
	watch.Until(t, "bob answers again", func() bool { return strings.Contains(p.out.String()[mark:], "time=") })
	bob.Stop()
	p.expect("it has left")
	p.signal(syscall.SIGINT)
	p.wait(0)
	checkContains(t, "zyre ping", p.out.String(), " % lost", "round trip min")
}

// What one writes the other reads, whole and in order.
func TestPubSub(t *testing.T) {
	t.Parallel()
	text := "one\n\n  three \x1b[31m \u00e4\nlast without an end"
	binary := make([]byte, 300_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range binary {
		binary[i] = byte(rng.UintN(256))
	}
	for _, c := range []struct {
		name     string
		input    string
		pub, sub []string
		want     string
	}{
		{"lines", text, []string{"hall"}, []string{"hall", "--count", "4"}, text + "\n"},
		{"to the end", text, []string{"hall"}, []string{"hall", "--once"}, text + "\n"},
		{"whole", string(binary), []string{"hall", "--whole"}, []string{"hall", "--raw", "--count", "1"}, string(binary)},
		{"chunks", string(binary), []string{"hall", "--chunk", "65536"}, []string{"hall", "--raw", "--count", "5"}, string(binary)},
		{"whisper", text, []string{"--to", "reader"}, []string{"--count", "4"}, text + "\n"},
		{"whisper beside a group", "x\n", []string{"--to", "reader"}, []string{"hall", "--whispers", "--count", "1"}, "x\n"},
		{"nothing", "", []string{"hall", "--whole"}, []string{"hall", "--count", "1"}, "\n"},
		{"with the sender", "x\ny\n", []string{"hall"}, []string{"hall", "--from", "--count", "2"}, "writer\tx\nwriter\ty\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			sub := start(t, local(port, append([]string{"sub", "--name", "reader"}, c.sub...)...)...)
			pub := start(t, local(port, append([]string{"pub", "--name", "writer"}, c.pub...)...)...)
			_, err := io.WriteString(pub.stdin, c.input)
			must(t, err)
			must(t, pub.stdin.Close())
			pub.wait(0)
			sub.wait(0)
			if got := sub.out.String(); got != c.want {
				t.Errorf("sub wrote %d bytes %.200q, want %d bytes %.200q", len(got), got, len(c.want), c.want)
			}
		})
	}
}

func TestSub_json(t *testing.T) {
	port := kit.FreeUDPPort(t)
	sub := start(t, local(port, "sub", "hall", "--whispers", "--json", "--count", "3")...)
	z := kit.NewNode(t, hostile, port)
	kit.MustStart(t, z)
	must(t, z.WaitPeers(t.Context(), "hall", 1))
	must(t, z.ShoutContext(t.Context(), "hall", []byte("h\u202e&<\x1b")))
	must(t, z.ShoutContext(t.Context(), "hall", []byte("a"), []byte("b")))
	must(t, z.WhisperContext(t.Context(), z.Peers()[0], []byte{0xff}))
	sub.wait(0)
	if hasControls(strings.ReplaceAll(sub.out.String(), "\n", "")) {
		t.Errorf("zyre sub --json wrote %q, which is not safe", sub.out.String())
	}
	events := decode[eventLine](t, sub.out.String())
	if len(events) != 3 || *events[0].Text != "h\u202e&<\x1b" || events[0].Group != "hall" || events[0].Peer != z.UUID() ||
		len(events[1].Data) != 2 || string(events[1].Data[1]) != "b" || events[2].Type != "WHISPER" || !bytes.Equal(events[2].Data[0], []byte{0xff}) {
		t.Errorf("zyre sub --json = %+v", events)
	}
}

// A publisher says what it could not do.
func TestPub_fails(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	_, stderr := zyreRun(t, 1, local(port, "pub", "hall", "--wait", "200ms")...)
	checkContains(t, "stderr", stderr, "0 of 1 nodes are in the group hall")
	_, stderr = zyreRun(t, 1, local(port, "pub", "--to", "bob", "--wait", "200ms")...)
	checkContains(t, "stderr", stderr, "no node called bob")

	// Receivers that leave in the middle.
	for _, c := range []struct{ name, want string }{{"hall", "nobody is left"}, {"--to", "has left"}} {
		z := kit.NewNode(t, "bob", port)
		z.Join("hall")
		kit.MustStart(t, z)
		log := watch.Record(z)
		args := []string{"pub", "hall"}
		if c.name == "--to" {
			args = []string{"pub", "--to", "bob"}
		}
		pub := start(t, local(port, args...)...)
		_, err := io.WriteString(pub.stdin, "one\n")
		must(t, err)
		watch.Until(t, "bob has the first line", func() bool { return log.Count("SHOUT")+log.Count("WHISPER") == 1 })
		z.Stop()
		go func() { // ends when the publisher does
			for {
				if _, err := io.WriteString(pub.stdin, "more\n"); err != nil {
					return
				}
			}
		}()
		pub.wait(1)
		checkContains(t, "stderr", pub.errOut.String(), c.want)
	}
}

// A receiver that dies may not have everything, and the publisher says so.
func TestPub_receiverDies(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	bob := child.Run(t, child.Config{Name: "bob", Interface: "lo", Port: port, Groups: []string{"hall"}, Interval: 100 * time.Millisecond})
	pub := start(t, local(port, "pub", "hall", "--evasive", "300ms", "--silent", "500ms", "--expired", "1s")...)
	_, err := io.WriteString(pub.stdin, "one\n")
	must(t, err)
	bob.Wait(t, "SHOUT", 1)
	bob.Process.Kill()
	_, err = io.WriteString(pub.stdin, "two\n")
	must(t, err)
	must(t, pub.stdin.Close())
	pub.wait(1)
	checkContains(t, "stderr", pub.errOut.String(), "bob is gone (expired)")
}

// startUnread starts zyre sub, whose output nobody reads but the test.
func startUnread(t *testing.T, port int) (sub *process, reader *os.File) {
	t.Helper()
	sub = &process{t: t, cmd: prepare(t, nil, local(port, "sub", "hall", "--raw", "--once")...), out: &buffer{}, errOut: &buffer{}, done: make(chan struct{})}
	sub.cmd.Stderr = sub.errOut
	reader, writer, err := os.Pipe()
	must(t, err)
	sub.cmd.Stdout = writer
	sub.run()
	must(t, writer.Close())
	return sub, reader
}

// A receiver that reads nothing, until the sender has taken all of its input, gets all of
// it: what waits in the sender's node at the end is not forgotten.
func TestPubSub_readerPauses(t *testing.T) {
	t.Parallel()
	const size = 100 << 20
	port := kit.FreeUDPPort(t)
	sub, reader := startUnread(t, port)
	pub := start(t, local(port, "pub", "hall", "--chunk", "65536", "--name", "writer")...)
	block := make([]byte, 1<<20)
	for range size / len(block) {
		_, err := pub.stdin.Write(block)
		must(t, err)
	}
	must(t, pub.stdin.Close())
	// Meanwhile the writer asks whether all has arrived.
	alice := kit.NewNode(t, "alice", port)
	kit.MustStart(t, alice)
	var node []string
	watch.Until(t, "alice sees the writer", func() bool { node = alice.PeersByName("writer"); return len(node) == 1 })
	for range 5000 {
		_, err := alice.Ping(t.Context(), node[0])
		must(t, err)
	}
	n, err := io.Copy(io.Discard, reader)
	must(t, err)
	if n != size {
		t.Errorf("%d bytes arrived, want the %d that were sent", n, size)
	}
	pub.wait(0)
	sub.wait(0)
}

// 200 MiB go through two pipes without loss, and while the reader does not read, the writer
// has to wait.
func TestPubSub_backPressure(t *testing.T) {
	t.Parallel()
	size := kit.Long(300, 200) << 20
	port := kit.FreeUDPPort(t)
	sub, reader := startUnread(t, port)
	pub := start(t, local(port, "pub", "hall", "--chunk", "100000", "--name", "writer")...)

	var written atomic.Int64 // MiB
	writing := make(chan struct{})
	sent := sha256.New()
	go func() {
		defer close(writing)
		defer pub.stdin.Close()
		block := make([]byte, 1<<20)
		for i := range size / (1 << 20) {
			block[0], block[1] = byte(i), byte(i>>8)
			sent.Write(block)
			if _, err := pub.stdin.Write(block); err != nil {
				return
			}
			written.Add(1)
		}
	}()
	// The queue of the reader's node holds 64 MiB, as much waits in the writer's once the
	// reader has stalled, and what is in the window and the pipes is on its way. So at last nothing is written any more, however often the
	// writer's node answers a ping in between.
	alice := kit.NewNode(t, "alice", port)
	kit.MustStart(t, alice)
	var node []string
	watch.Until(t, "alice sees the writer", func() bool { node = alice.PeersByName("writer"); return len(node) == 1 })
	for before := int64(0); before == 0 || written.Load() > before; {
		before = written.Load()
		for range 500 {
			_, err := alice.Ping(t.Context(), node[0])
			must(t, err)
		}
	}
	got := written.Load()
	if got == int64(size)>>20 {
		t.Fatalf("the writer has written all %d MiB though nobody reads", got)
	}
	t.Logf("the writer waits after %d MiB", got)
	received := sha256.New()
	n, err := io.Copy(received, reader)
	must(t, err)
	<-writing
	pub.wait(0)
	sub.wait(0)
	if n != int64(size) || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
		t.Errorf("%d bytes arrived, want the %d that were sent", n, size)
	}
}

// Ctrl-C makes every command leave politely.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		status int
	}{
		{"peers --wait 1m", 130},
		{"ping", 0},
		{"sub hall", 0},
		{"sub hall --count 3", 130},
		{"pub hall --wait 1m", 130},
		{"chat", 0},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(c.args, " ", sig), func(t *testing.T) {
				port := kit.FreeUDPPort(t)
				alice := kit.NewNode(t, "alice", port)
				kit.MustStart(t, alice)
				log := watch.Record(alice)
				p := start(t, local(port, append(strings.Fields(c.args), "--name", "bob")...)...)
				log.Wait(t, "ENTER bob", 1)
				if strings.HasPrefix(c.args, "ping") {
					p.expect("seq=1 time=")
				}
				p.signal(sig)
				p.wait(c.status)
				if e := log.Wait(t, "EXIT bob", 1); e.Reason != zyre.ReasonGoodbye {
					t.Errorf("EXIT with reason %q, want %q", e.Reason, zyre.ReasonGoodbye)
				}
			})
		}
	}
}

// A reader that goes, such as head, is no reason to leave without a goodbye.
func TestSub_readerGoes(t *testing.T) {
	port := kit.FreeUDPPort(t)
	alice := kit.NewNode(t, "alice", port)
	kit.MustStart(t, alice)
	log := watch.Record(alice)
	sub := &process{t: t, cmd: prepare(t, nil, local(port, "sub", "hall", "--name", "bob")...), out: &buffer{}, errOut: &buffer{}, done: make(chan struct{})}
	reader, writer, err := os.Pipe()
	must(t, err)
	sub.cmd.Stdout, sub.cmd.Stderr = writer, sub.errOut
	sub.run()
	must(t, writer.Close())
	must(t, reader.Close())
	log.Wait(t, "JOIN bob hall", 1)
	must(t, alice.ShoutContext(t.Context(), "hall", []byte("x")))
	sub.wait(0)
	if e := log.Wait(t, "EXIT bob", 1); e.Reason != zyre.ReasonGoodbye {
		t.Errorf("EXIT with reason %q, want %q", e.Reason, zyre.ReasonGoodbye)
	}
}

// Secure nodes see each other, and not those that are not authorized.
func TestCert_secureNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := kit.FreeUDPPort(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"alice", "bob", "eve"} {
		zyreRun(t, 0, "cert", "new", at(name))
	}
	must(t, os.Mkdir(at("friends"), 0o700))
	zyreRun(t, 0, "cert", "import", at("alice"), at("friends"))
	zyreRun(t, 0, "cert", "import", at("bob"), at("friends"))
	sub := start(t, local(port, "sub", "hall", "--name", "bob", "--cert", at("bob"), "--authorized", at("friends"), "--from")...)
	for name, status := range map[string]int{"eve": 1, "alice": 0} {
		pub := start(t, local(port, "pub", "hall", "--name", name, "--cert", at(name), "--wait", map[int]string{0: "10s", 1: "2s"}[status])...)
		_, err := io.WriteString(pub.stdin, "from "+name+"\n")
		must(t, err)
		must(t, pub.stdin.Close())
		pub.wait(status)
	}
	sub.expect("alice\tfrom alice\n")
	if strings.Contains(sub.out.String(), "eve") {
		t.Errorf("zyre sub wrote %q, want nothing from eve", sub.out.String())
	}
}
