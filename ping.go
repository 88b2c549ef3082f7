package zyre

import (
	"context"
	"fmt"
	"time"
)

// Ping sends a PING to a peer and returns how long its PING-OK took. Every implementation
// answers by itself, without its application. PING goes past the messages that wait in this
// node, and behind those that are under way. Ping returns
//
//   - [ErrUnknownPeer] if the peer has not entered, or exits first;
//   - the context's error, wrapped, if ctx ends first;
//   - [ErrPushedBack] if the application reads none of its events, and the queue is full, so that
//     the answer is not read;
//   - [ErrNotRunning] before Start, after Stop, and when the node stops meanwhile.
//
// A nil ctx never ends. If the peer or this node connects again meanwhile, the answer may be lost:
// then PING is sent again, and the time counts from the first. Where there is no connection the
// answer comes when there is one, so give ctx an end. Libzyre has nothing like it.
func (z *Zyre) Ping(ctx context.Context, peer string) (time.Duration, error) {
	roundTrip, err := z.ping(orBackground(ctx), peer)
	return roundTrip, opError("ping", peer, err)
}

func (z *Zyre) ping(ctx context.Context, peer string) (time.Duration, error) {
	n := z.node.Load()
	id, ok := canonicalUUID(peer)
	switch {
	case n == nil:
		return 0, ErrNotRunning
	case !ok:
		return 0, errNoUUID
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	type answer struct {
		roundTrip time.Duration
		err       error
	}
	n.commands.waitBegins()
	defer n.commands.waitEnds()
	answers := make(chan answer, 1)
	var r *pingRequest
	err := n.do(func(now time.Time) {
		r = n.zre.requestPing(now, id, func(roundTrip time.Duration, err error) {
			answers <- answer{roundTrip, err}
		})
	})
	if err != nil {
		return 0, err
	}
	select {
	case a := <-answers:
		return a.roundTrip, a.err
	case <-n.commands.stopped:
		return 0, ErrNotRunning
	case <-ctx.Done():
	}
	if err := n.do(func(time.Time) { n.zre.withdrawPing(id, r) }); err != nil {
		return 0, err
	}
	select {
	case a := <-answers: // in the last moment
		return a.roundTrip, a.err
	default:
		return 0, fmt.Errorf("no answer: %w", ctx.Err())
	}
}
