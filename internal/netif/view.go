package netif

import "time"

// maxAge is how long a description of the interfaces holds without a look of its own:
// not every system that takes a subscription to changes also tells them.
const maxAge = 10 * time.Second

// View is what the host's interfaces look like. It looks only if something may have
// changed, for a look costs an idle node more than all its peers' beacons. One goroutine
// owns it; the zero value is ready.
type View struct {
	changes changes
	host    []Interface // nil if the last look failed
	at      time.Time   // of the last look
}

// Interfaces describes the interfaces that the host has now. The result must not be
// changed.
func (v *View) Interfaces() ([]Interface, error) {
	// Also if it is time to look anyway: what is told from here on comes after the look.
	changed := v.changes.take()
	if !changed && v.host != nil && time.Since(v.at) < maxAge {
		return v.host, nil
	}
	host, err := list()
	v.host, v.at = host, time.Now()
	return host, err
}

// Close ends the subscription. The view can be used again.
func (v *View) Close() { v.changes.close() }

// Subscribed reports whether the kernel is asked to tell of changes.
func (v *View) Subscribed() bool { return v.changes.subscribed() }
