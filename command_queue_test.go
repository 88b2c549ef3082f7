package zyre

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// queueNode empties a command queue as a node would, until stop is called, which
// returns how many commands there were of each kind.
func queueNode(o *commandQueue) (stop func() map[commandKind]int) {
	quit, ended := make(chan struct{}), make(chan struct{})
	counts := map[commandKind]int{}
	go func() {
		defer close(ended)
		var commands []command
		for {
			last := false
			select {
			case <-quit:
				last = true // whatever was queued is there to be taken
			default:
			}
			commands = o.take(commands)
			for i := range commands {
				counts[commands[i].kind]++
			}
			if last && len(commands) == 0 {
				return
			}
		}
	}()
	return func() map[commandKind]int {
		close(quit)
		<-ended
		return counts
	}
}

// Many goroutines send at once through a command queue that is often full; every message
// arrives, each goroutine's in order, while receivers are blocked and unblocked.
func TestCommandQueue_manySenders(t *testing.T) {
	o := newCommandQueue(func() {})
	stop := queueNode(o)
	const senders, messages = 16, 2000
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range messages {
				c := command{kind: cmdWhisper, message: message{peer: [16]byte{byte(i % 3)}, payload: make([]byte, 500)}}
				if i%2 == 0 {
					c = command{kind: cmdShout, message: message{group: "G", payload: make([]byte, 500)}}
				}
				if err := o.message(context.Background(), &c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := byte(0); ; i++ {
			select {
			case <-quit:
				return
			default:
			}
			peer := [16]byte{i % 3}
			o.blockPeer(peer, true)
			o.blockGroup("G", true)
			o.blockGroup("G", false)
			o.blockPeer(peer, false)
		}
	}()
	wg.Wait()
	close(quit)
	<-done
	if got := stop(); got[cmdWhisper]+got[cmdShout] != senders*messages {
		t.Errorf("messages = %v, want %d", got, senders*messages)
	}
	if o.bytes != 0 || o.room != nil || len(o.blockedPeers)+len(o.blockedGroups) != 0 {
		t.Errorf("bytes = %d, room %v, blocked %d", o.bytes, o.room, len(o.blockedPeers)+len(o.blockedGroups))
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

func TestCommandQueue_blocks(t *testing.T) { synctest.Test(t, queueBlocks) }

func queueBlocks(t *testing.T) {
	peer, other := [16]byte{1}, [16]byte{2}
	whisper := command{kind: cmdWhisper, message: message{peer: peer}}
	shout := command{kind: cmdShout, message: message{group: "G"}}
	o := newCommandQueue(func() {})
	o.blockPeer(peer, true)
	o.blockGroup("G", true)
	for _, c := range []command{
		{kind: cmdWhisper, message: message{peer: other}}, {kind: cmdShout, message: message{group: "H"}}, {kind: cmdTake},
	} {
		if err := o.message(context.Background(), &c); err != nil {
			t.Errorf("message(%d) = %v, want nil", c.kind, err)
		}
	}
	if err := waits(t, func() error { return o.message(context.Background(), &whisper) }, func() { o.blockPeer(peer, false) }); err != nil {
		t.Errorf("message to a peer = %v, want nil", err)
	}
	open := func() { o.blockGroup("G", false) }
	if err := waits(t, func() error { return o.message(context.Background(), &shout) }, open); err != nil {
		t.Errorf("message to a group = %v, want nil", err)
	}
	o.blockPeer(peer, true)
	ctx, cancel := context.WithCancel(t.Context())
	err := waits(t, func() error { return o.message(ctx, &whisper) }, cancel)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("message given up = %v, want %v", err, context.Canceled)
	}
	err = waits(t, func() error { return o.message(context.Background(), &whisper) }, func() {
		o.close()
	})
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("message to a node that stopped = %v, want %v", err, ErrNotRunning)
	}
	if err := o.put(command{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("put = %v, want %v", err, ErrNotRunning)
	}
}

// A full queue makes messages wait, but not other commands; beacons are dropped.
func TestCommandQueue_room(t *testing.T) { synctest.Test(t, queueRoom) }

func queueRoom(t *testing.T) {
	for _, fill := range []command{
		{kind: cmdWhisper}, {kind: cmdWhisper, message: message{payload: make([]byte, maxCommandBytes/8)}},
	} {
		o := newCommandQueue(func() {})
		count := 0
		for o.obstacle(&fill) == nil {
			if err := o.message(context.Background(), &fill); err != nil {
				t.Fatal(err)
			}
			count++
		}
		if count != maxCommands && count != 8 {
			t.Errorf("messages until full = %d, want %d or 8", count, maxCommands)
		}
		if err := o.put(command{kind: cmdTake}); err != nil {
			t.Errorf("put = %v, want nil", err)
		}
		if err := waits(t, func() error { return o.message(context.Background(), &fill) }, func() { o.take(nil) }); err != nil {
			t.Errorf("message = %v, want nil", err)
		}
		for range 3 * maxCommands {
			o.offer(command{kind: cmdTake})
		}
		if got := len(o.commands); got > 2*maxCommands {
			t.Errorf("commands = %d, want at most %d", got, 2*maxCommands)
		}
	}
}
