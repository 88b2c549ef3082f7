package zyre

import (
	"context"
	"crypto/rand"
	"time"
)

// maxAnswerTime is how long PeerView waits at most.
const maxAnswerTime = 5 * time.Second

// SetShareView makes the node tell its view of the network to any peer that asks for it by
// [Zyre.PeerView]: with whom it is connected, and how much it has sent and received, but no
// content. It is off by default, since it shows peers who else is there. The node says that
// it answers by the header X-ZYRE-VIEW in its HELLO, and only nodes with that header are
// asked, so other implementations notice nothing but the header. Questions and answers cause
// no events. Each peer is answered once a second, and all together 20 times. No effect after
// Start. Libzyre has nothing like it.
func (z *Zyre) SetShareView(share bool) *Zyre {
	return z.set(change{"set share view", "", nil, func(c *config) { c.shareView = share }})
}

// PeerView asks a peer for its view of the network, and waits for the answer, for 5 s at
// most. Any goroutine may ask, but not the one that reads Events while it is the only one to
// do so: the answer waits behind events that nobody reads. It returns
//
//   - [ErrNotShared] if the peer has not called [Zyre.SetShareView];
//   - [ErrUnknownPeer] if the peer has not entered, or exits before it answers;
//   - [ErrPushedBack] if the peer takes no messages at present;
//   - [context.DeadlineExceeded], wrapped, if it does not answer, which it does not if it is
//     asked more than once a second;
//   - the context's error, wrapped, if ctx ends first;
//   - [ErrNotRunning] before Start, after Stop, and when the node stops meanwhile.
//
// Libzyre has nothing like it.
func (z *Zyre) PeerView(ctx context.Context, uuid string) (View, error) {
	v, err := z.peerView(orBackground(ctx), uuid)
	return v, opError("ask for the view of", uuid, err)
}

func (z *Zyre) peerView(ctx context.Context, uuid string) (View, error) {
	running := z.node.Load()
	if running == nil {
		return View{}, ErrNotRunning
	}
	id, ok := canonicalUUID(uuid)
	if !ok {
		return View{}, errNoUUID
	}
	if ctx.Err() != nil {
		return View{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, maxAnswerTime)
	defer cancel()
	q := &question{peer: id, answered: make(chan struct{})}
	_, _ = rand.Read(q.nonce[:]) // never fails
	if err := running.do(func(now time.Time) { running.zre.askView(now, q) }); err != nil {
		return View{}, err
	}
	select {
	case <-q.answered:
		return q.view, q.err
	case <-running.commands.stopped:
		return View{}, ErrNotRunning
	case <-ctx.Done():
	}
	if err := running.do(func(time.Time) { running.zre.withdrawQuestion(q) }); err != nil {
		return View{}, err
	}
	select {
	case <-q.answered: // in the last moment
		return q.view, q.err
	default:
		return View{}, ctx.Err()
	}
}
