//go:build unix

package process

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// A node whose process was stopped for longer than the expired timeout, alone or together
// with a peer of foreign make, and the peer find back to each other, and neither says
// HELLO without end.
func TestStorm_oursFrozen(t *testing.T) {
	for _, kind := range []foreign.Kind{foreign.Libzyre, foreign.GoZeroMQ} {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, ", both=", both), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 2*watch.Patience)
				defer cancel()
				port := kit.FreeUDPPort(t)
				ours := child.Run(t, quick(remote("ours", port), 300*time.Millisecond, 1500*time.Millisecond))
				uuid, err := foreign.ParseUUID(ours.UUID)
				if err != nil {
					t.Fatal(err)
				}
				fake, err := foreignnet.Start(ctx, foreignnet.Options{Kind: kind, Name: "fake", UDPPort: port, Interval: 100 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = fake.Close() })
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				// The watcher tells how long they have been frozen.
				watcher := watch.Start(t, kit.QuickTimeouts(kit.NewNode(t, "watcher", port), 300*time.Millisecond, 2250*time.Millisecond))
				watcher.Wait(t, "ENTER ours", 1)
				watcher.Wait(t, "ENTER fake", 1)
				ours.Wait(t, "ENTER fake", 1)
				talk := func(text string) {
					t.Helper()
					watch.Until(t, "they talk", func() bool {
						_ = fake.Whisper(uuid, []byte(text)) // it may not know the node for the moment
						ours.Whisper(fake.UUIDText(), "%s", text)
						return ours.Count("WHISPER fake "+text) > 0 && fake.CountEvents(func(e foreign.Event) bool {
							return e.Type == foreign.Whisper && e.Peer == uuid && string(e.Content[0]) == text
						}) > 0
					})
				}
				talk("before")
				ours.Process.Signal(syscall.SIGSTOP)
				if both {
					must(fake.Freeze())
					watcher.Wait(t, "EXIT fake", 1)
				}
				watcher.Wait(t, "EXIT ours", 1)
				must(fake.Forget(uuid))
				if both {
					must(fake.Thaw())
				}
				ours.Process.Signal(syscall.SIGCONT)
				talk("after")
				expire(t, port, ours.Log, watcher) // a storm would show by then
				exits, enters := ours.Count("EXIT fake"), ours.Count("ENTER fake")
				hellos := fake.CountMessages(foreignnet.IsMessageFrom(foreign.HelloID, uuid))
				if exits > 2 || enters != exits+1 || hellos > 4 {
					t.Errorf("ours saw %d EXITs and %d ENTERs, and said HELLO %d times, want at most 2, one more, and 4:\n%s",
						exits, enters, hellos, ours.Presence())
				}
				t.Logf("EXIT %d, HELLO %d", exits, hellos)
			})
		}
	}
}
