//go:build unix

package child

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre"
)

// Poke calls every method three times and returns the slowest by its best time, which
// load on the machine changes little: what waits for something that does not happen is
// slow each time. It shouts to nobody and keeps the node's name.
func Poke(z *zyre.Zyre) (slowest Slowest) {
	for method, call := range everyMethod(z) {
		if took := Timed(3, call)[0]; took >= slowest.Took {
			slowest = Slowest{took, method}
		}
	}
	return slowest
}

// Timed calls fn a number of times and returns how long that took, in order.
func Timed(times int, fn func()) []time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		fn()
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

// everyMethod calls each method of a node but Start, Stop and the setters for Start.
func everyMethod(z *zyre.Zyre) map[string]func() {
	ctx, own := context.Background(), z.Name()
	return map[string]func(){
		"Join": func() { z.Join("g") }, "Leave": func() { z.Leave("g") },
		"Join long":        func() { z.Join(strings.Repeat("x", 256)) },
		"Name":             func() { _ = z.Name() },
		"UUID":             func() { _ = z.UUID() },
		"Peers":            func() { _ = z.Peers() },
		"SetHeader":        func() { z.SetHeader("a", "b") },
		"SetName":          func() { z.SetName(own) },
		"Shout":            func() { z.Shout("nobody", []byte("x")) },
		"Shouts":           func() { z.Shouts("nobody", "%d", 1) },
		"Whisper":          func() { z.Whisper("", nil) },
		"Whispers":         func() { z.Whispers("nobody", "100%") },
		"Whisper stranger": func() { z.Whisper(strings.Repeat("0", 32), []byte("x")) },
		"WhisperContext":   func() { _ = z.WhisperContext(ctx, "x") },
		"ShoutContext":     func() { _ = z.ShoutContext(ctx, strings.Repeat("x", 300)) },
		"PeersByGroup":     func() { _ = z.PeersByGroup("g") },
		"OwnGroups":        func() { _ = z.OwnGroups() },
		"PeerGroups":       func() { _ = z.PeerGroups() },
		"PeerAddress":      func() { _ = z.PeerAddress("x") },
		"PeerName":         func() { _ = z.PeerName("x") },
		"PeerHeaderValue":  func() { _, _ = z.PeerHeaderValue("x", "y") },
		"Stats":            func() { _ = z.Stats() },
		"Events":           func() { _ = z.Events() },
		"Dump":             func() { z.Dump(io.Discard) },
		"GossipEndpoint":   func() { _ = z.GossipEndpoint() },
		"GossipUnpublish":  func() { z.GossipUnpublish("nobody") },
		"RequirePeer":      func() { _ = z.RequirePeer("x", "y", "") },
		"SetEndpoint":      func() { _ = z.SetEndpoint("nonsense") },
	}
}
