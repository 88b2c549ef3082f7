package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// startJS starts a node of zyre.js on loopback. Where there is no Node the test is skipped,
// but not in CI.
func startJS(t *testing.T, o zyrejs.Options) *zyrejs.Peer {
	t.Helper()
	o.Interval = 200 * time.Millisecond
	p, err := zyrejs.Start(t.Context(), o)
	if errors.Is(err, zyrejs.ErrUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { // by force: its polite stop can hang
		_ = p.Process().Kill()
		_ = p.Close()
	})
	return p
}

// waitJS waits for an event of a node of zyre.js.
func waitJS(t *testing.T, p *zyrejs.Peer, matches func(e zyrejs.Event) bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e, more := <-p.Events():
			if !more {
				t.Fatal("zyre.js has ended")
			}
			if matches(e) {
				return
			}
		case <-timeout:
			t.Fatal("zyre.js does not report what it should")
		}
	}
}

// Every command that talks does so with zyre.js.
func TestZyreJS_commands(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port, Headers: map[string]string{"role": "tester"}})
	must(t, js.Join(t.Context(), "hall"))

	list := decode[peerLine](t, firstOf(zyreRun(t, 0, local(port, "peers", "--count", "1", "--group", "hall", "--json")...)))
	if len(list) != 1 || list[0].UUID != js.UUID() || list[0].Name != "js" || list[0].Headers["role"] != "tester" {
		t.Errorf("zyre peers = %+v, want js", list)
	}
	out, _ := zyreRun(t, 0, local(port, "ping", "js", "--count", "3", "--every", "100ms")...)
	checkContains(t, "zyre ping", out, "3 sent, 3 answered, 0 % lost")

	for _, to := range [][]string{{"hall"}, {"--to", "js"}} {
		pub := start(t, local(port, append([]string{"pub"}, to...)...)...)
		pub.typed("tea?\n")
		must(t, pub.stdin.Close())
		pub.wait(0)
		kind := map[int]string{1: "shout", 2: "whisper"}[len(to)]
		waitJS(t, js, func(e zyrejs.Event) bool { return e.Kind == kind && string(e.Message) == "tea?" })
	}
	sub := start(t, local(port, "sub", "hall", "--whispers", "--count", "2", "--name", "reader")...)
	var reader string
	waitJS(t, js, func(e zyrejs.Event) bool { reader = e.ID; return e.Kind == "join" && e.Name == "reader" })
	must(t, js.Shout(t.Context(), "hall", []byte("coffee")))
	must(t, js.Whisper(t.Context(), reader, []byte("milk")))
	sub.wait(0)
	if got := sub.out.String(); got != "coffee\nmilk\n" {
		t.Errorf("zyre sub = %q, want what js said", got)
	}
	chat := start(t, local(port, "chat", "--group", "hall", "--name", "talker")...)
	chat.expect("js is here")
	waitJS(t, js, func(e zyrejs.Event) bool { return e.Kind == "join" && e.Name == "talker" })
	chat.typed("hello\n")
	waitJS(t, js, func(e zyrejs.Event) bool { return e.Kind == "shout" && string(e.Message) == "hello" })
	must(t, chat.stdin.Close())
	chat.wait(0)
	waitJS(t, js, func(e zyrejs.Event) bool { return e.Kind == "disconnect" && e.Name == "talker" })
}

// Clients of CZMQ use the hub, and commands use a hub of CZMQ.
func TestHub_czmq(t *testing.T) {
	t.Parallel()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip(err)
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libczmq").Output()
	if err != nil {
		t.Skipf("no libczmq by pkg-config: %v", err)
	}
	program := filepath.Join(t.TempDir(), "czmq_gossip")
	args := append([]string{"-o", program, filepath.Join("..", "..", "..", "internal", "interop", "czmq_gossip.c")}, strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("compile: %v: %s", err, out)
	}
	_, endpoint := startHub(t)
	one := child.StartProgram(t, "czmq one", nil, program, "client", endpoint, "KEY1", "tcp://127.0.0.1:1")
	one.Expect("^READY")
	two := child.StartProgram(t, "czmq two", nil, program, "client", endpoint, "KEY2", "tcp://127.0.0.1:2")
	two.Expect("^DELIVER KEY1 tcp://127.0.0.1:1")
	one.Expect("^DELIVER KEY2 tcp://127.0.0.1:2")
	// Nodes of ours connect to a hub of CZMQ.
	hub := child.StartProgram(t, "czmq hub", nil, program, "hub", "tcp://127.0.0.1:*")
	at := "tcp://127.0.0.1:" + strings.Fields(hub.Expect("^PORT "))[1]
	common := []string{"--interface", "lo", "--endpoint", "tcp://127.0.0.1:*", "--hub", at}
	sub := start(t, append([]string{"sub", "hall", "--count", "1"}, common...)...)
	pub := start(t, append([]string{"pub", "hall"}, common...)...)
	pub.typed("tea\n")
	must(t, pub.stdin.Close())
	pub.wait(0)
	sub.expect("tea\n")
	sub.wait(0)
}
