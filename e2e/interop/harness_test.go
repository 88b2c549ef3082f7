//go:build unix

package interop

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

func TestMain(m *testing.M) { os.Exit(child.Main(m, nil)) }

// must fails the test if there is an error.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}

// expire lasts as long as it takes nodes to give up a silent peer.
func expire(t *testing.T, port int, nodes ...*watch.Log) {
	t.Helper()
	cfg := child.Config{Name: child.WitnessName(), Interface: "lo", Port: port, Interval: 100 * time.Millisecond}
	watch.Until(t, "the witness has expired", child.Dying(t, child.Run(t, cfg), nodes...))
}

// jsNode is a zyre.js node and what it reported, in our words.
type jsNode struct {
	*zyrejs.Peer
	*watch.Log
}

// runZyreJS runs a node of zyre.js on the loopback interface. Without Node the test is
// skipped, but not in CI: there it is installed.
func runZyreJS(t *testing.T, o zyrejs.Options) *zyrejs.Peer {
	t.Helper()
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	p, err := zyrejs.Start(t.Context(), o)
	if errors.Is(err, zyrejs.ErrUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	must(t, "Start(zyre.js "+o.Name+")", err)
	t.Cleanup(func() { // by force: after some tests its polite stop hangs
		_ = p.Process().Kill()
		_ = p.Close()
	})
	return p
}

// startJS starts a node of zyre.js and keeps what it reports.
func startJS(t *testing.T, o zyrejs.Options) *jsNode {
	t.Helper()
	p := runZyreJS(t, o)
	l := watch.NewLog(o.Name)
	go func() { // ends with the process
		defer close(l.Done)
		for e := range p.Events() {
			l.Add(time.Now(), fromJS(e))
		}
	}()
	return &jsNode{p, l}
}

// fromJS translates an event of zyre.js. Its "expired" comes before "disconnect" and
// stays lower case.
func fromJS(e zyrejs.Event) *zyre.Event {
	kind := map[string]string{
		"connect": "ENTER", "disconnect": "EXIT", "join": "JOIN", "leave": "LEAVE",
		"whisper": "WHISPER", "shout": "SHOUT",
	}[e.Kind]
	if kind == "" {
		kind = e.Kind
	}
	return &zyre.Event{
		Type: kind, PeerUUID: e.ID, PeerName: e.Name, Group: e.Group, Msg: e.Message, Headers: e.Headers,
	}
}

// pair starts one node of each kind, which have entered when it returns.
func pair(t *testing.T, set func(z *zyre.Zyre), o zyrejs.Options) (*zyre.Zyre, *watch.Log, *jsNode) {
	t.Helper()
	o.Name = "js"
	if o.BeaconPort == 0 {
		o.BeaconPort = kit.FreeUDPPort(t)
	}
	z := kit.NewNode(t, "go", o.BeaconPort)
	if set != nil {
		set(z)
	}
	r := watch.Start(t, z)
	js := startJS(t, o)
	r.Wait(t, "ENTER js", 1)
	js.Wait(t, "ENTER go", 1)
	return z, r, js
}
