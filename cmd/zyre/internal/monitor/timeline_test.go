package monitor

import "testing"

func TestTimeline_since(t *testing.T) {
	var l timeline
	for range maxEntries + 10 {
		l.add(Entry{})
	}
	for _, c := range []struct {
		after         uint64
		limit         int
		first, missed uint64
		count         int
	}{
		{0, 5, 11, 10, 5},
		{10, 5, 11, 0, 5},
		{3, 3000, 11, 7, maxEntries},
		{maxEntries + 8, 5, maxEntries + 9, 0, 2},
		{maxEntries + 10, 5, 0, 0, 0},
		{maxEntries + 99, 2, 11, 0, 2}, // of another run
	} {
		entries, missed := l.since(c.after, c.limit)
		first := uint64(0)
		if len(entries) > 0 {
			first = entries[0].ID
		}
		if len(entries) != c.count || missed != c.missed || first != c.first {
			t.Errorf("since(%d, %d) = %d entries from %d on, %d missed, want %d from %d on, %d missed",
				c.after, c.limit, len(entries), first, missed, c.count, c.first, c.missed)
		}
	}
	if got := l.last(3); len(got) != 3 || got[2].ID != maxEntries+10 {
		t.Errorf("last(3) = %+v", got)
	}
}
