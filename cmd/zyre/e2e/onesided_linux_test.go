package e2e

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/cmd/zyre/internal/monitor"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Nodes on hosts of their own, of which one hears the other no more, which is patient: the
// monitor on a third host draws the link red, and plain again once the network is well.
func TestMonitor_oneSidedHosts(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b", "m")
	a, b, m := hosts[0], hosts[1], hosts[2]
	nodeA := nodeOn(a, child.Config{ShareView: true, Silent: 5 * time.Minute, Expired: 10 * time.Minute})
	nodeB := nodeOn(b, child.Config{ShareView: true, Evasive: time.Second, Silent: 2 * time.Second, Expired: 4 * time.Second})
	p := startOn(t, m.Prefix(), "monitor", "--json", "--interval", "250ms")
	p.expect(`"name":"a"`)
	p.expect(`"name":"b"`)
	nodeA.Wait(t, "ENTER b", 1)
	nodeB.Wait(t, "ENTER a", 1)
	b.Filter(netns.In("ip saddr 10.78.0.1 drop"))
	nodeB.Wait(t, "EXIT a", 1)
	p.expect(`"type":"ONE-SIDED"`)
	b.Filter()
	p.expect(`"type":"HEALED"`)
	var seen []monitor.Entry
	watch.Until(t, "both entries are there", func() bool {
		seen = seen[:0]
		for _, e := range decode[monitor.Entry](t, p.out.String()) {
			if e.Type == monitor.EntryOneSided || e.Type == monitor.EntryHealed {
				seen = append(seen, e)
			}
		}
		return len(seen) >= 2
	})
	if e := seen[0]; e.Type != monitor.EntryOneSided || e.Peer != nodeA.UUID || e.Other != nodeB.UUID {
		t.Errorf("entry %+v, want that a sees b, and b not a", e)
	}
}
