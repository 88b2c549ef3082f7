package monitor

import (
	"testing"
	"time"
)

// Peers are asked in turn, each at the interval, and together not more than 20 a second.
func TestNextToAsk(t *testing.T) {
	for _, c := range []struct {
		sharing  int
		interval time.Duration
	}{{0, 3 * time.Second}, {1, 3 * time.Second}, {10, 3 * time.Second}, {200, 10 * time.Second}} {
		n := newFakeNetwork(200, 0)
		for i := range c.sharing {
			n.model.peers[fakeUUID(i)].info.Headers = map[string]string{ShareHeader: "1"}
		}
		asked, pings := map[string]int{}, 0
		for at := n.now; at.Before(n.now.Add(2 * c.interval)); at = at.Add(askEvery / 2) {
			if uuid, interval, ok := n.model.NextToAsk(at); ok {
				asked[uuid]++
				if interval != c.interval {
					t.Fatalf("%d sharing: interval %v, want %v", c.sharing, interval, c.interval)
				}
			}
			if _, _, ok := n.model.NextToPing(at); ok {
				pings++
			}
		}
		if len(asked) != c.sharing {
			t.Errorf("%d sharing: %d asked, want all", c.sharing, len(asked))
		}
		for uuid, times := range asked {
			if times < 1 || times > 2 {
				t.Errorf("%d sharing: %s asked %d times, want twice", c.sharing, uuid, times)
			}
		}
		if most := int(2*c.interval/askEvery) + 1; pings > most || pings < most/2 {
			t.Errorf("pings = %d in %v, want up to %d", pings, 2*c.interval, most)
		}
	}
}
