//go:build unix

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/cmd/zyre/internal/monitor"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// For scripts there is one object for each event, and Ctrl-C is the end that was asked for.
func TestMonitor_json(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, "\x1b]0;bob\a", port)
	z.Join("hall")
	kit.MustStart(t, z)
	p := start(t, local(port, "monitor", "--json", "--group", "hall")...)
	must(t, z.WaitPeers(t.Context(), "hall", 1))
	z.Shout("hall", []byte("hello"))
	p.expect(`"type":"SHOUT"`)
	z.Stop()
	p.expect(`"reason":"goodbye"`)
	p.signal(syscall.SIGINT)
	p.wait(0)
	var types []string
	for _, e := range decode[monitor.Entry](t, p.out.String()) {
		types = append(types, e.Type)
		if e.Name != `\x1b]0;bob\x07` || e.Type == zyre.EventShout && (string(e.Payload) != "hello" || e.Group != "hall") {
			t.Errorf("entry %+v", e)
		}
	}
	if got := strings.Join(types, " "); got != "ENTER JOIN SHOUT EXIT" {
		t.Errorf("types = %s, want ENTER JOIN SHOUT EXIT", got)
	}
}

// The page of a running network: who is there, and whom those see that tell it.
func TestMonitor_web(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	a.SetShareView(true)
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	log := watch.Record(a)
	p := start(t, local(port, "monitor", "--web", "0", "--name", "watcher")...)
	p.expect("the network is at http://127.0.0.1:")
	url := regexp.MustCompile(`http://\S+`).FindString(p.out.String())
	fetch := func(path string, v any) {
		t.Helper()
		r, err := http.Get(url + path) //nolint:noctx // the process ends with the test
		must(t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		must(t, err)
		must(t, json.Unmarshal(body, v))
	}
	var state monitor.State
	watch.Until(t, "the page shows two peers and three links", func() bool {
		state = monitor.State{}
		fetch("state", &state)
		return state.Totals.Peers == 2 && len(state.Links) == 3 && state.Nodes[1].RTT > 0
	})
	if state.Nodes[0].Name != "watcher" || state.Nodes[1].Name != "alice" || !state.Nodes[1].IsSharing || state.Totals.OneSided != 0 {
		t.Errorf("picture = %+v, want watcher and alice, who tells whom she sees", state)
	}
	var detail monitor.Detail
	fetch("peer/"+a.UUID(), &detail)
	if detail.View == nil || detail.View.Peers != 2 || len(detail.View.Links) != 2 {
		t.Errorf("details = %+v, want that alice sees two peers", detail)
	}
	p.signal(syscall.SIGINT)
	p.wait(0)
	if e := log.Wait(t, "EXIT watcher", 1); e.Reason != zyre.ReasonGoodbye {
		t.Errorf("EXIT with reason %q, want %q", e.Reason, zyre.ReasonGoodbye)
	}
	if log.Count("WHISPER") != 0 {
		t.Error("the application of a node that was asked got a WHISPER")
	}
}

// In a terminal: the picture, keys, and the screen as it was before at the end. Nothing that
// a peer chooses controls it.
func TestMonitor_terminal(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, hostile, port)
	z.Join("hall")
	z.Join("\x1b]0;group")
	kit.MustStart(t, z)
	p := startInTerminal(t, append([]string{"NO_COLOR=1"}, local(port, "monitor", "--group", "hall")...)...)
	must(t, z.WaitPeers(t.Context(), "hall", 1))
	must(t, z.ShoutContext(t.Context(), "hall", []byte("\x1b]0;pwned\a\u202e\u009b31m\x80")))
	p.expect("zyre monitor")
	p.expect(`\x1b]0;owned\x07`)
	p.typed("4")
	p.expect(`\x1b]0;pwned\x07\u202e\x9b31m\x80`)
	p.typed("2")
	p.expect(`\x1b]0;group`)
	p.typed("q")
	p.wait(0)
	out := p.out.String()
	if !utf8.ValidString(out) {
		t.Errorf("the terminal got what is no UTF-8: %q", out)
	}
	for _, bad := range []string{"\x1b]0", "\u202e", "\u009b", "\a"} {
		if strings.Contains(out, bad) {
			t.Errorf("the terminal got %q", bad)
		}
	}
	if !strings.Contains(out, "\x1b[?1049h") || strings.LastIndex(out, "\x1b[?1049l") < strings.LastIndex(out, "\x1b[?1049h") {
		t.Error("the screen of before has not come back")
	}
}

// What makes no sense is said.
func TestMonitor_usage(t *testing.T) {
	for _, c := range []struct {
		args, want string
		status     int
	}{
		{"monitor", "needs a terminal; --json is for scripts, and --web for browsers", 2},
		{"monitor --web nonsense", `"nonsense": must be PORT or HOST:PORT`, 2},
		{"monitor --web 127.0.0.1:99999", "the port must be 0 to 65535", 2},
		{"monitor --web 192.0.2.1:1", "192.0.2.1:1", 1},
	} {
		_, stderr := zyreRun(t, c.status, local(kit.FreeUDPPort(t), strings.Fields(c.args)...)...)
		checkContains(t, c.args, stderr, c.want)
	}
}
