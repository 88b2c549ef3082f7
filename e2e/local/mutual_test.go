package local_test

import (
	"context"
	"errors"
	"sync"
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
				var joined sync.WaitGroup // all send at the same time
				joined.Add(nodes)
				for i := range nodes {
					z := kit.NewNode(t, string(rune('a'+i)), port).SetEvasiveTimeout(500 * time.Millisecond).
						SetQueueLimit(kit.MinQueueLimit).SetWindow(kit.MinQueueLimit)
					z.Join("all")
					ring = append(ring, z)
				}
				for i, z := range ring {
					next := ring[(i+1)%nodes].UUID()
					kit.MustStart(t, z)
					sendAll := func() error {
						joined.Done()
						joined.Wait()
						for range messages {
							if err := send(z, next); !isLoss(err) {
								return err
							}
						}
						return nil
					}
					go func() { done <- sendFromLoop(z, next, sendAll) }()
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

// isLoss reports whether err is nil, or says that a message was lost.
func isLoss(err error) bool {
	return err == nil || errors.Is(err, zyre.ErrPushedBack) || errors.Is(err, zyre.ErrUnknownPeer)
}

// sendFromLoop reads a node's events, and sends on JOIN of the next node. It returns when
// all is sent, and leaves a goroutine that reads on: the others may still be sending.
func sendFromLoop(z *zyre.Zyre, next string, send func() error) error {
	for e := range z.Events() {
		if e.Type != "JOIN" || e.PeerUUID != next {
			continue
		}
		err := send()
		go func() {
			for range z.Events() {
			}
		}()
		return err
	}
	return errors.New("the events ended")
}
