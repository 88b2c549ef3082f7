package zyre

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// WaitPeers waits until n peers have joined a group, or with "" for the group until n
// peers have entered, and returns nil. Each of them has this node's HELLO then: a Shout
// right afterwards goes to all n, as long as they stay. It returns
//
//   - the context's error, wrapped, if ctx ends first; the text says how many there were;
//   - [ErrNotRunning] before Start, after Stop, and when the node stops meanwhile;
//   - [ErrPushedBack] if the application reads none of its events, and the queue is full;
//   - [ErrTooLong] if the name of the group is longer than 255 bytes.
//
// A nil ctx never ends. This node itself does not count, and need not have joined the
// group. Libzyre has nothing like it.
func (z *Zyre) WaitPeers(ctx context.Context, group string, n int) error {
	return opError("wait for peers", group, z.waitPeers(orBackground(ctx), group, n))
}

func (z *Zyre) waitPeers(ctx context.Context, group string, n int) error {
	running := z.node.Load()
	if running == nil {
		return ErrNotRunning
	}
	if err := tooLong(group); err != nil {
		return err
	}
	running.commands.waitBegins()
	defer running.commands.waitEnds()
	w := &peerWait{group: group, want: n, reached: make(chan struct{})}
	if err := running.do(func(time.Time) { running.waits.add(w) }); err != nil {
		return err
	}
	select {
	case <-w.reached:
		return w.err
	case <-running.commands.stopped:
		return ErrNotRunning
	case <-ctx.Done():
	}
	if err := running.do(func(time.Time) { running.waits.remove(w) }); err != nil {
		return err
	}
	select {
	case <-w.reached: // in the last moment
		return w.err
	default:
		return fmt.Errorf("%d of %d: %w", w.got, n, ctx.Err())
	}
}

// peerWait is somebody who waits for peers. The node alone touches it until reached is
// closed, or it was removed.
type peerWait struct {
	group   string
	want    int
	got     int // when it was looked at last
	err     error
	reached chan struct{}
}

// peerWaits are those who wait for peers. The node owns them.
type peerWaits struct{ list []*peerWait }

func (s *peerWaits) add(w *peerWait) { s.list = append(s.list, w) }

func (s *peerWaits) remove(w *peerWait) {
	s.list = slices.DeleteFunc(s.list, func(o *peerWait) bool { return o == w })
}

// letGo ends the waits of an application that takes no events: peers that come are not read.
func (s *peerWaits) letGo() {
	for _, w := range s.list {
		w.err = errReadsNothing
		close(w.reached)
	}
	s.list = nil
}

// check lets those go on whose peers are there.
func (s *peerWaits) check(now time.Time, z *zre) {
	s.list = slices.DeleteFunc(s.list, func(w *peerWait) bool {
		w.got = z.confirmPeers(now, w.group)
		if w.got < w.want {
			return false
		}
		close(w.reached)
		return true
	})
}
