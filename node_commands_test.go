package zyre

import (
	"context"
	"errors"
	"testing"
)

// Who waits in send and gives up takes the message back.
func TestNode_sendWithdraws(t *testing.T) {
	s, a, b := simPair(t, 1)
	a.whisper(b.uuid)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		result <- a.n.send(ctx, &command{kind: cmdWhisper, message: message{peer: b.uuid, payload: []byte("x")}})
	}()
	var calls []command
	handled := 0
	for err, done := error(nil), false; !done; {
		calls = a.n.commands.take(calls)
		for i := range calls {
			a.n.handle(s.now, calls[i:i+1])
			if handled++; handled == 1 {
				cancel()
			}
		}
		select {
		case err = <-result:
			done = true
			if !errors.Is(err, ErrPushedBack) || !errors.Is(err, context.Canceled) {
				t.Errorf("send = %v, want %v and %v", err, ErrPushedBack, context.Canceled)
			}
		default:
		}
	}
	if p := a.n.zre.peers[b.uuid]; p.backlog.isBlocked() {
		t.Errorf("backlog = %d, want 0", p.backlog.queue.Len())
	}
}
