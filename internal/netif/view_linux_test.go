package netif_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/internal/netif"
)

// watchedHost is a host without a network, and a View of its interfaces.
type watchedHost struct {
	*netns.Host
	t    *testing.T
	view netif.View
}

func newWatchedHost(t *testing.T) *watchedHost {
	t.Helper()
	w := &watchedHost{Host: netns.New(t).Host("a"), t: t}
	t.Cleanup(w.view.Close)
	return w
}

// look returns loopback as the View shows it, and whether the View has looked for that.
func (w *watchedHost) look() (lo netif.Interface, fresh bool) {
	w.t.Helper()
	before := w.view.LookedAt()
	var host []netif.Interface
	var err error
	w.Within(func() { host, err = w.view.Interfaces() })
	i := slices.IndexFunc(host, func(h netif.Interface) bool { return h.Name == "lo" })
	if err != nil || i < 0 {
		w.t.Fatalf("Interfaces() = %v, %v, want lo among them", host, err)
	}
	return host[i], w.view.LookedAt() != before
}

// A change is seen at once, and nothing is looked at where nothing has changed.
func TestView(t *testing.T) {
	w := newWatchedHost(t)
	added := netip.MustParsePrefix("10.1.2.3/24")
	hasAddr := func(h netif.Interface) bool { return slices.Contains(h.Prefixes, added) }
	isUp := func(h netif.Interface) bool { return h.Flags&net.FlagUp != 0 }
	for _, c := range []struct {
		what   string
		change func()
		want   func(h netif.Interface) bool
	}{
		{"the start", func() {}, isUp},
		{"an address", func() { w.AddAddr("lo", added.String()) }, hasAddr},
		// That it is there cannot be seen: /proc/net is that of the process, not of the thread.
		{"a route", func() { w.DefaultRoute("10.1.2.4") }, hasAddr},
		{"the end of the address", func() { w.RemoveAddr("lo", added.String()) }, func(h netif.Interface) bool { return !hasAddr(h) }},
		{"down", func() { w.Down("lo") }, func(h netif.Interface) bool { return !isUp(h) }},
		{"up", func() { w.Up("lo") }, isUp},
	} {
		c.change()
		if h, fresh := w.look(); !fresh || !c.want(h) {
			t.Errorf("after %s: %v, looked %t; want the change, and a look", c.what, h, fresh)
		}
		if h, fresh := w.look(); fresh || !c.want(h) {
			t.Errorf("a moment after %s: %v, looked %t; want it as before, and no look", c.what, h, fresh)
		}
	}
}

// A View that is closed looks, and can be used again.
func TestView_Close(t *testing.T) {
	w := newWatchedHost(t)
	w.look()
	if !w.view.Subscribed() {
		t.Error("Subscribed() = false after a look, want true")
	}
	w.view.Close()
	w.view.Close()
	if w.view.Subscribed() {
		t.Error("Subscribed() = true after Close, want false")
	}
	for _, want := range []bool{true, false} {
		if _, fresh := w.look(); fresh != want {
			t.Errorf("looked after Close %t, want %t", fresh, want)
		}
	}
}
