package netif_test

import (
	"fmt"
	"testing"
)

// Where the kernel does not go on to tell of changes, each look is one, until there is a
// subscription again.
func TestChanges_refused(t *testing.T) {
	w := newWatchedHost(t)
	w.look()
	if err := w.view.BreakSubscription(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if _, fresh := w.look(); fresh != want {
			t.Errorf("look %d after that: looked %t, want %t", i, fresh, want)
		}
	}
}

// Changes of which the kernel has dropped some, for they were too many, are seen.
func TestChanges_tooMany(t *testing.T) {
	w := newWatchedHost(t)
	w.look()
	if err := w.view.NarrowSubscription(); err != nil {
		t.Fatal(err)
	}
	const many = 60
	for i := range many {
		w.AddAddr("lo", fmt.Sprintf("10.1.2.%d/32", i+1))
	}
	lo, fresh := w.look()
	if !fresh || len(lo.Prefixes) < many {
		t.Errorf("after %d changes: %d addresses, looked %t, want all of them", many, len(lo.Prefixes), fresh)
	}
	if _, fresh := w.look(); fresh {
		t.Error("looked again though nothing has changed since")
	}
	if !w.view.Subscribed() {
		t.Error("Subscribed() = false, want true")
	}
}
