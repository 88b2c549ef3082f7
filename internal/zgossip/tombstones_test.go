package zgossip

import (
	"fmt"
	"testing"
	"time"
)

// A stranger that publishes and takes back without end has its own tombstones forgotten, not
// those of others.
func TestTable_thinTombstones(t *testing.T) {
	now := time.Now()
	const limit = 20
	tb := newTable(limit)
	other, stranger := &link{pings: true, host: &host{}}, &link{pings: true, host: &host{}}
	tb.say(other, "k=v", now)
	tb.say(other, "k=", now)
	for i := range 10 * limit {
		tb.say(stranger, fmt.Sprint(i, "=v"), now.Add(time.Duration(i)))
		tb.say(stranger, fmt.Sprint(i, "="), now.Add(time.Duration(i)))
	}
	latest := fmt.Sprint(10*limit - 1)
	if tb.tuples["k"] == nil || tb.tuples[latest] == nil || len(tb.tuples) > limit+1 {
		t.Errorf("%d tombstones, with the other's %t, with the stranger's latest %t, want %d at most, with both",
			len(tb.tuples), tb.tuples["k"] != nil, tb.tuples[latest] != nil, limit+1)
	}
}
