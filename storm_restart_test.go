//go:build unix

package zyre

import (
	"testing"
	"time"
)

// A peer whose goodbye is lost and that starts again under the same UUID.
func TestStorm_restartWithSameUUID(t *testing.T) {
	for name, model := range models {
		t.Run(name, func(t *testing.T) {
			port := freeUDPPort(t)
			z := newLoopbackNode(t, "ours", port)
			mustStart(t, z)
			r := record(z)
			old := newFakePeer(t, "fake", z, model)
			old.announce()
			r.wait(t, "ENTER fake", 1)
			old.whisper("first life")
			r.wait(t, "WHISPER fake first life", 1)
			old.close()
			again := newFakePeer(t, "fake", z, model)
			again.uuid, again.identity = old.uuid, old.identity
			again.greet(firstEndpoint(z))
			r.wait(t, "EXIT fake", 1)
			r.wait(t, "ENTER fake", 2)
			again.announce()
			again.whisper("second life")
			r.wait(t, "WHISPER fake second life", 1)
			n := 0
			eventually(t, "the new one hears WHISPER", func() bool {
				n++
				z.Whispers(again.uuidText(), "to you %d", n)
				pause(50 * time.Millisecond)
				return again.heard(WhisperID) > 0
			})
			if got := z.PeerAddress(again.uuidText()); got != again.endpoint {
				t.Errorf("PeerAddress() = %s, want %s", got, again.endpoint)
			}
			if exits := r.count("EXIT"); exits > 2 {
				t.Errorf("EXIT came %d times, want at most 2", exits)
			}
		})
	}
}

// A peer that starts again so quickly that its HELLO could be the answer to ours:
// when it does not take what we send, we say HELLO again, and what was sent
// meanwhile is not lost silently.
func TestStorm_restartUnnoticed(t *testing.T) {
	z := newLoopbackNode(t, "ours", freeUDPPort(t))
	mustStart(t, z)
	r := record(z)
	f := newFakePeer(t, "fake", z, nil)
	f.greet(firstEndpoint(z), "hall")
	r.wait(t, "ENTER fake", 1)
	f.greet(firstEndpoint(z), "hall")
	z.Whispers(f.uuidText(), "lost")
	r.wait(t, "EXIT fake", 1)
	r.wait(t, "ENTER fake", 2)
	r.wait(t, "JOIN fake hall", 2)
	eventually(t, "a second HELLO", func() bool { return f.heard(HelloID) == 2 })
	f.whisper("in sequence")
	r.wait(t, "WHISPER fake in sequence", 1)
	if n := r.count("EXIT"); n != 1 {
		t.Errorf("EXIT came %d times, want 1", n)
	}
}
