package kit

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// AnswerTime is how long a method that does not wait for a peer may take.
const AnswerTime = 100 * time.Millisecond

// EveryMethod returns each method that must be harmless at any time, by name, as a call.
func EveryMethod(z *zyre.Zyre) map[string]func() {
	ctx := context.Background()
	shouts, whispers := z.Shouts, z.Whispers // go vet refuses a stray % in a direct call
	return map[string]func(){
		"Join": func() { z.Join("g") }, "Leave": func() { z.Leave("g") },
		"Join long": func() { z.Join(strings.Repeat("x", 256)) },
		"Name":      func() { _ = z.Name() },
		"UUID":      func() { _ = z.UUID() },
		"Peers":     func() { _ = z.Peers() },
		"SetHeader": func() { z.SetHeader("a", "b") },
		"SetName":   func() { z.SetName("n") },
		"Shout":     func() { z.Shout("g", nil) }, "Shouts": func() { shouts("g", "100%") },
		"Whisper": func() { z.Whisper("", nil) }, "Whispers": func() { whispers("nobody", "100%") },
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
		"WhisperFrames":    func() { z.WhisperFrames("nobody", nil, []byte("x")) },
		"ShoutFrames":      func() { z.ShoutFrames("g", nil, []byte("x")) },
		"Peer":             func() { _, _ = z.Peer("x") },
		"PeerList":         func() { _ = z.PeerList() },
		"Ping":             func() { _, _ = z.Ping(ctx, "x") },
		"PeersByName":      func() { _ = z.PeersByName("n") },
		"Leader":           func() { _, _ = z.Leader("g") },
		"WaitPeers":        func() { _ = z.WaitPeers(ctx, "g", 0) },
		"Ping stranger":    func() { _, _ = z.Ping(ctx, strings.Repeat("0", 32)) },
		"PeerView":         func() { _, _ = z.PeerView(ctx, "x") },
		"Endpoint":         func() { _ = z.Endpoint() },
		"GossipEndpoint":   func() { _ = z.GossipEndpoint() },
		"GossipUnpublish":  func() { z.GossipUnpublish("nobody") },
		"RequirePeer":      func() { _ = z.RequirePeer("x", "y", "") },
		"SetEndpoint":      func() { _ = z.SetEndpoint("nonsense") },
	}
}

// EverySetter returns each method that sets something for the next Start, by name, as a
// call.
func EverySetter(z *zyre.Zyre) map[string]func() {
	return map[string]func(){
		"SetUUID":               func() { z.SetUUID("x") },
		"SetInterface":          func() { z.SetInterface("lo") },
		"SetPort":               func() { z.SetPort(5670) },
		"SetInterval":           func() { z.SetInterval(time.Second) },
		"SetEvasiveTimeout":     func() { z.SetEvasiveTimeout(time.Second) },
		"SetSilentTimeout":      func() { z.SetSilentTimeout(time.Second) },
		"SetExpiredTimeout":     func() { z.SetExpiredTimeout(time.Second) },
		"SetStalledTimeout":     func() { z.SetStalledTimeout(time.Second) },
		"SetBeaconPeerPort":     func() { z.SetBeaconPeerPort(0) },
		"SetQueueLimit":         func() { z.SetQueueLimit(MinQueueLimit) },
		"SetWindow":             func() { z.SetWindow(1 << 20) },
		"SetMaxMessage":         func() { z.SetMaxMessage(1 << 20) },
		"SetShareView":          func() { z.SetShareView(true) },
		"SetVerbose":            func() { z.SetVerbose() },
		"SetLogger":             func() { z.SetLogger(nil) },
		"SetAdvertisedEndpoint": func() { z.SetAdvertisedEndpoint("tcp://127.0.0.1:1") },
		"GossipBind":            func() { z.GossipBind("inproc://hub%d", 1) },
		"GossipConnect":         func() { z.GossipConnect("inproc://hub%d", 1) },
		"GossipConnectCurve":    func() { z.GossipConnectCurve("x", "inproc://hub") },
		"SetZCert":              func() { z.SetZCert("x", "y") },
		"SetZapDomain":          func() { z.SetZapDomain("z") },
		"SetContestInGroup":     func() { z.SetContestInGroup("g") },
		"SetAuthorizedKeys":     func() { z.SetAuthorizedKeys("x") },
	}
}

// MinQueueLimit is the least that SetQueueLimit takes, in bytes.
const MinQueueLimit = 64 << 10

// SlowestMethod calls every method of a node three times and returns the slowest by its
// best time, which load on the machine changes little: what waits for something that does
// not happen is slow each time. It shouts to nobody and keeps the node's name.
func SlowestMethod(z *zyre.Zyre) (took time.Duration, name string) {
	methods := EveryMethod(z)
	own := z.Name()
	methods["SetName"] = func() { z.SetName(own) }
	methods["Shout"] = func() { z.Shout("nobody", []byte("x")) }
	methods["Shouts"] = func() { z.Shouts("nobody", "%d", 1) }
	methods["ShoutFrames"] = func() { z.ShoutFrames("nobody", nil, []byte("x")) }
	for what, call := range methods {
		if best := BestTime(3, call); best >= took {
			took, name = best, what
		}
	}
	return took, name
}

// BestTime calls fn a number of times and returns the shortest time that it took.
func BestTime(times int, fn func()) time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		fn()
		took[i] = time.Since(start)
	}
	return slices.Min(took)
}

// CheckAnswers fails the test if a method of a node takes longer than [AnswerTime]. It
// returns how long the slowest took.
func CheckAnswers(t testing.TB, z *zyre.Zyre) time.Duration {
	t.Helper()
	took, method := SlowestMethod(z)
	if took > AnswerTime {
		t.Errorf("%s: %s took %v, want at most %v", z.Name(), method, took, AnswerTime)
	}
	return took
}
