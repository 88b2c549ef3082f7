package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// Beats are messages from a healthy peer to a node while something else is attacked.
type Beats struct {
	T      testing.TB
	Events *Log              // of the node
	Peer   string            // the name of the healthy peer
	Send   func(text string) // has the peer whisper to the node

	sent    int
	slowest time.Duration
}

// Beat has the peer whisper to the node, and waits for it.
func (b *Beats) Beat() {
	b.T.Helper()
	b.sent++
	text, start := fmt.Sprint("beat ", b.sent), time.Now()
	b.Send(text)
	b.Events.Wait(b.T, fmt.Sprintf("%s %s %s", zyre.EventWhisper, b.Peer, text), 1)
	b.slowest = max(b.slowest, time.Since(start))
}

// Check fails the test unless all beats came, in order, and the peer is there without a
// break.
func (b *Beats) Check() {
	b.T.Helper()
	next := 1
	for _, e := range b.Events.Entries() {
		switch {
		case e.PeerName != b.Peer:
		case e.Type == zyre.EventWhisper && string(e.Msg) == fmt.Sprint("beat ", next):
			next++
		case e.Type == zyre.EventWhisper || e.Type == zyre.EventExit:
			b.T.Errorf("healthy peer: %s %s, want beat %d", e.Type, e.Msg, next)
		}
	}
	if next != b.sent+1 {
		b.T.Errorf("healthy peer: %d beats came, want %d", next-1, b.sent)
	}
	b.T.Logf("slowest round trip of the healthy peer: %v", b.slowest)
}

// CheckSilence fails the test if the node saw anything of anybody but the peer.
func (b *Beats) CheckSilence() {
	b.T.Helper()
	for _, e := range b.Events.Entries() {
		if e.PeerName != b.Peer {
			b.T.Errorf("event of a stranger: %s", Describe(e.Event))
		}
	}
}
