package monitor

import (
	"slices"
	"testing"
	"time"
)

// What is dropped is in the picture with its reason, and in the time line not too often.
func TestModel_drops(t *testing.T) {
	n := newFakeNetwork(1, 0)
	n.step(time.Second)
	for range 30 {
		n.drop.KeysRefused += 2
		n.step(time.Second)
	}
	drops := n.model.State(n.now).Drops
	if len(drops) != 1 || drops[0].What != "KeysRefused" || drops[0].Count != 60 || drops[0].Last != n.now.UnixMilli() {
		t.Errorf("dropped = %+v, want 60 keys", drops)
	}
	count := 0
	for _, kind := range types(n.model) {
		if kind == EntryDropped {
			count++
		}
	}
	if count < 1 || count > 4 {
		t.Errorf("entries = %d in 30 s, want one in 10 s", count)
	}
}

// Every counter of zyre.Dropped is explained.
func TestDrops_explained(t *testing.T) {
	names := dropNames()
	for _, name := range names {
		if whyDropped[name] == "" {
			t.Errorf("%s is not explained", name)
		}
	}
	for name := range whyDropped {
		if !slices.Contains(names, name) {
			t.Errorf("%s is explained and does not exist", name)
		}
	}
}
