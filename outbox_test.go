package zyre

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// outboxNode empties an outbox as a node would, until stop is called, which
// returns how many calls there were of each kind.
func outboxNode(o *outbox) (stop func() map[callKind]int) {
	quit, ended := make(chan struct{}), make(chan struct{})
	counts := map[callKind]int{}
	go func() {
		defer close(ended)
		var calls []call
		for {
			last := false
			select {
			case <-quit:
				last = true // whatever was queued is there to be taken
			default:
			}
			calls = o.take(calls)
			for i := range calls {
				counts[calls[i].kind]++
			}
			if last && len(calls) == 0 {
				return
			}
		}
	}()
	return func() map[callKind]int {
		close(quit)
		<-ended
		return counts
	}
}

// Many goroutines send at once through an outbox that is often full; every message
// arrives, each goroutine's in order, while gates are shut and opened.
func TestOutbox_manySenders(t *testing.T) {
	o := newOutbox(func() {})
	stop := outboxNode(o)
	const senders, messages = 16, 2000
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range messages {
				c := call{kind: callWhisper, peer: [16]byte{byte(i % 3)}, payload: make([]byte, 500)}
				if i%2 == 0 {
					c = call{kind: callShout, group: "G", payload: make([]byte, 500)}
				}
				if err := o.message(c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	gates, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := byte(0); ; i++ {
			select {
			case <-gates:
				return
			default:
			}
			peer := [16]byte{i % 3}
			o.shutPeer(peer)
			o.shutGroup("G")
			o.openGroups(func(string) bool { return false })
			o.openPeer(peer)
		}
	}()
	wg.Wait()
	close(gates)
	<-done
	if got := stop(); got[callWhisper]+got[callShout] != senders*messages {
		t.Errorf("messages = %v, want %d", got, senders*messages)
	}
	if o.bytes != 0 || o.room != nil || len(o.peerGates)+len(o.groupGates) != 0 {
		t.Errorf("bytes = %d, room %v, gates %d", o.bytes, o.room, len(o.peerGates)+len(o.groupGates))
	}
}

// waits checks that fn does not return before open is called, and returns its error. It
// runs in a bubble, where waiting for ever is noticed at once.
func waits(t *testing.T, fn func() error, open func()) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- fn() }()
	synctest.Wait()
	select {
	case err := <-result:
		t.Errorf("returned %v, want to wait", err)
		return err
	default:
	}
	open()
	return <-result
}

func TestOutbox_gate(t *testing.T) { synctest.Test(t, outboxGate) }

func outboxGate(t *testing.T) {
	peer, other := [16]byte{1}, [16]byte{2}
	whisper := call{kind: callWhisper, peer: peer}
	shout := call{kind: callShout, group: "G"}
	o := newOutbox(func() {})
	o.shutPeer(peer)
	o.shutGroup("G")
	for _, c := range []call{{kind: callWhisper, peer: other}, {kind: callShout, group: "H"}, {kind: callFunc}} {
		if err := o.message(c); err != nil {
			t.Errorf("message(%d) = %v, want nil", c.kind, err)
		}
	}
	if err := waits(t, func() error { return o.message(whisper) }, func() { o.openPeer(peer) }); err != nil {
		t.Errorf("message to a peer = %v, want nil", err)
	}
	open := func() { o.openGroups(func(g string) bool { return g != "G" }) }
	if err := waits(t, func() error { return o.message(shout) }, open); err != nil {
		t.Errorf("message to a group = %v, want nil", err)
	}
	o.shutPeer(peer)
	ctx, cancel := context.WithCancel(t.Context())
	err := waits(t, func() error { return o.messageContext(ctx, whisper) }, cancel)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("message given up = %v, want %v", err, context.Canceled)
	}
	err = waits(t, func() error { return o.message(whisper) }, func() {
		o.close()
		close(o.done)
	})
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("message to a node that stopped = %v, want %v", err, ErrNotRunning)
	}
	if err := o.put(call{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("put = %v, want %v", err, ErrNotRunning)
	}
}

// A full outbox makes messages wait, but not calls; beacons are dropped.
func TestOutbox_room(t *testing.T) { synctest.Test(t, outboxRoom) }

func outboxRoom(t *testing.T) {
	for _, fill := range []call{{kind: callWhisper}, {kind: callWhisper, payload: make([]byte, outboxBytes/8)}} {
		o := newOutbox(func() {})
		count := 0
		for o.obstacle(&fill) == nil {
			if err := o.message(fill); err != nil {
				t.Fatal(err)
			}
			count++
		}
		if count != outboxCalls && count != 8 {
			t.Errorf("messages until full = %d, want %d or 8", count, outboxCalls)
		}
		if err := o.put(call{kind: callFunc}); err != nil {
			t.Errorf("put = %v, want nil", err)
		}
		if err := waits(t, func() error { return o.message(fill) }, func() { o.take(nil) }); err != nil {
			t.Errorf("message = %v, want nil", err)
		}
		for range 3 * outboxCalls {
			o.offer(call{kind: callSignal})
		}
		if got := len(o.calls); got > 2*outboxCalls {
			t.Errorf("calls = %d, want at most %d", got, 2*outboxCalls)
		}
	}
}
