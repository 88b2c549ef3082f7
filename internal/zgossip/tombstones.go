package zgossip

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// tombstone returns the value by which value is taken back: its part from "|" on, which
// libzyre needs in CURVE mode.
func tombstone(value string) string {
	if i := strings.IndexByte(value, '|'); i >= 0 {
		return value[i:]
	}
	return ""
}

func isTombstone(value string) bool { return value == "" || value[0] == '|' }

// removeTombstones removes the tuples that were taken back at this time or earlier.
func (tb *table) removeTombstones(until time.Time) {
	for _, t := range tb.tuples {
		if t.gone && !t.changed.After(until) {
			tb.remove(t)
		}
	}
}

// thinTombstones removes a quarter of the tombstones: first those of the host that has sent most
// of them, the oldest first. So nobody has those of others forgotten by sending many.
func (tb *table) thinTombstones() {
	var all []*tuple
	sent := map[*host]int{}
	for _, t := range tb.tuples {
		if t.gone {
			all = append(all, t)
			sent[t.endedAt()]++
		}
	}
	slices.SortFunc(all, func(a, b *tuple) int {
		return cmp.Or(sent[b.endedAt()]-sent[a.endedAt()], a.changed.Compare(b.changed))
	})
	for _, t := range all[:(len(all)+3)/4] {
		tb.remove(t)
	}
}

// endedAt is the host of the client, or the hub, that took t back or was lost; nil for us.
func (t *tuple) endedAt() *host {
	if t.endedBy == nil {
		return nil
	}
	return t.endedBy.account()
}
