package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/cmd/zyre/internal/monitor"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
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

// Beside a node that tells its view the monitor shows one of zyre.js as what is known of it:
// it is not asked, and that it does not tell whom it sees makes no link red.
func TestMonitor_zyrejs(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port, Headers: map[string]string{"role": "tester"}})
	must(t, js.Join(t.Context(), "hall"))
	z := kit.NewNode(t, "ours", port)
	z.SetShareView(true)
	kit.MustStart(t, z)
	log := watch.Record(z)
	p := start(t, local(port, "monitor", "--web", "0", "--json", "--group", "hall", "--name", "watcher")...)
	url := p.logged(`(http://\S+)`)
	var state monitor.State
	place := map[string]int{}
	watch.Until(t, "the views of ours have come twice", func() bool {
		state, place = monitor.State{}, map[string]int{}
		must(t, json.Unmarshal([]byte(get(t, url+"state")), &state))
		for i, n := range state.Nodes {
			place[n.Name] = i
		}
		if len(state.Nodes) < 3 {
			return false
		}
		var detail monitor.Detail
		must(t, json.Unmarshal([]byte(get(t, url+"peer/"+z.UUID())), &detail))
		return detail.View != nil && len(state.Links) == 3 && state.Uptime > 7000 && state.Nodes[place["js"]].RTT > 0
	})
	n := state.Nodes[place["js"]]
	if n.UUID != js.UUID() || n.Presence != monitor.PresenceAlive || n.IsSharing || n.AllGroups != 1 || n.Headers != 1 {
		t.Errorf("js is shown as %+v, want alive, in one group, with a header, and not as one that tells its view", n)
	}
	if s := state.Totals; s.Peers != 2 || s.Sharing != 1 || s.OneSided != 0 || s.Hidden != 0 || s.Evasive != 0 {
		t.Errorf("totals = %+v, want two peers of which one tells its view, and nothing wrong", s)
	}
	for _, l := range state.Links {
		want := monitor.LinkAssumed
		if l.A != place["js"] && l.B != place["js"] {
			want = monitor.LinkBoth
		}
		if l.Kind != want {
			t.Errorf("the link of %s and %s is of kind %d, want %d", state.Nodes[l.A].Name, state.Nodes[l.B].Name, l.Kind, want)
		}
	}
	must(t, js.Shout(t.Context(), "hall", []byte("coffee")))
	p.expect(`"type":"SHOUT","peer":"` + js.UUID())
	p.signal(syscall.SIGINT)
	p.wait(0)
	waitJS(t, js, func(e zyrejs.Event) bool {
		if e.Kind == "whisper" {
			t.Errorf("zyre.js got a whisper %q", e.Message)
		}
		return e.Kind == "disconnect" && e.Name == "watcher"
	})
	if log.Count("EXIT js") != 0 || log.Count("WHISPER") != 0 {
		t.Errorf("ours has seen %v, want neither EXIT of js nor a whisper", log)
	}
}
