package local_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Nodes that send to each other from the loops that read their events, far more than their
// queues hold, do not block each other for ever: in pairs and in a ring, by whispers, with
// and without a context, and by shouts. What is lost shows as EXIT or as an error.
func TestDelivery_mutual(t *testing.T) {
	const messages, size = 2000, 1024
	payload := make([]byte, size)
	for name, send := range map[string]func(z *zyre.Zyre, peer string) error{
		"whispers": func(z *zyre.Zyre, peer string) error { z.Whisper(peer, payload); return nil },
		"shouts":   func(z *zyre.Zyre, _ string) error { z.Shout("all", payload); return nil },
		"context": func(z *zyre.Zyre, peer string) error {
			return z.WhisperContext(context.Background(), peer, payload)
		},
	} {
		for _, nodes := range []int{2, 3} {
			t.Run(name+" of "+string(rune('0'+nodes)), func(t *testing.T) {
				t.Parallel()
				port := kit.FreeUDPPort(t)
				done := make(chan error, nodes)
				var ring []*zyre.Zyre
				for i := range nodes {
					z := kit.NewNode(t, string(rune('a'+i)), port).SetEvasiveTimeout(500 * time.Millisecond).
						SetQueueLimit(kit.MinQueueLimit).SetWindow(kit.MinQueueLimit)
					z.Join("all")
					ring = append(ring, z)
				}
				for i, z := range ring {
					next := ring[(i+1)%nodes].UUID()
					kit.MustStart(t, z)
					go func() { done <- sendFromLoop(z, next, messages, send) }()
				}
				for range nodes {
					select {
					case err := <-done:
						if err != nil {
							t.Error(err)
						}
					case <-time.After(2 * watch.Patience):
						t.Fatal("stuck")
					}
				}
			})
		}
	}
}

// sendFromLoop reads a node's events, and on JOIN of the next node sends to it, once. It
// returns when all is sent and something has come after that.
func sendFromLoop(z *zyre.Zyre, next string, messages int, send func(z *zyre.Zyre, peer string) error) error {
	sent := false
	for e := range z.Events() {
		switch {
		case e.Type == "JOIN" && e.PeerUUID == next && !sent:
			for range messages {
				err := send(z, next)
				if err != nil && !errors.Is(err, zyre.ErrPushedBack) && !errors.Is(err, zyre.ErrUnknownPeer) {
					return err
				}
			}
			sent = true
		case sent:
			go func() { // the others may still be sending
				for range z.Events() {
				}
			}()
			return nil
		}
	}
	return errors.New("the events ended")
}
