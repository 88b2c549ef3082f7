package interop

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// A loss on the way from zyre.js is seen, and healed both ways. It drops us at our HELLO,
// and does not know us any more when it says its own.
func TestZyreJS_gap(t *testing.T) {
	const port = 5670
	h := netns.NewLAN(t, "go", "js")
	node := h[0].Start("node").Node(child.Config{Name: "go", Port: port, Interval: 100 * time.Millisecond})
	node.Start()
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port, Interface: "eth0", Prefix: h[1].Prefix()})
	node.Wait(t, "ENTER js", 1)
	js.Wait(t, "ENTER go", 1)
	must(t, "Whisper", js.Whisper(t.Context(), node.UUID, []byte("arrives")))
	node.Wait(t, "WHISPER js arrives", 1)

	// What zyre.js sends is dropped until its connection is broken.
	_, mailbox, err := net.SplitHostPort(strings.TrimPrefix(node.Started.Endpoint, "tcp://"))
	must(t, "SplitHostPort", err)
	fromJS := "tcp dport " + mailbox + " counter "
	h[0].Filter(netns.In(fromJS + "drop"))
	must(t, "Whisper", js.Whisper(t.Context(), node.UUID, []byte("is lost")))
	watch.Until(t, "a message is dropped", func() bool { return h[0].Counted() > 0 })
	h[0].Filter(netns.In(fromJS + "reject with tcp reset"))
	watch.Until(t, "the connection is broken", func() bool { return h[0].Counted() > 0 })
	h[0].Filter()

	must(t, "Whisper", js.Whisper(t.Context(), node.UUID, []byte("after the gap")))
	node.Wait(t, "EXIT js", 1)
	begin := time.Now()
	js.Wait(t, "ENTER go", 2)
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("healed after %v, want about 1s", took)
	}
	// zyre.js takes our HELLO for the end. Until it has heard it again it misses whispers, which
	// our node sees as EXIT and ENTER.
	node.Wait(t, "ENTER js", 2)
	watch.Until(t, "js hears the node", func() bool {
		node.Whisper("js", "here again")
		return js.Count("WHISPER go here again") > 0
	})
	must(t, "Whisper", js.Whisper(t.Context(), node.UUID, []byte("here again")))
	node.Wait(t, "WHISPER js here again", 1)
	node.CheckCount(t, "EVASIVE", 0)
	node.CheckCount(t, "WHISPER js is lost", 0)
	node.CheckCount(t, "WHISPER js after the gap", 0)
	if s := node.Stats(); s.Gaps != 1 {
		t.Errorf("Stats().Gaps = %d, want 1", s.Gaps)
	}
}
