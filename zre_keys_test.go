package zyre

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// keyPair makes a CURVE key pair.
func keyPair(t testing.TB) (public, secret string) {
	t.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		t.Fatal(err)
	}
	return public, secret
}

// A beacon that names another key for a UUID keeps its owner out no longer than it
// takes to see that nobody with that key answers.
func TestNode_forgedBeaconDoesNotKeepOwnerOut(t *testing.T) {
	public, secret := keyPair(t)
	pb, _ := keyPair(t)
	pm, _ := keyPair(t)
	s := newSim(t, 1)
	a := s.node(func(cfg *config, _ *simSite) { cfg.curve.publicKey, cfg.curve.secretKey = public, secret })
	bob := [16]byte{5}
	a.n.zre.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	s.advance(2 * time.Second)
	a.n.zre.sightedWithKey(s.now, bob, "tcp://10.0.0.1:10", pb)
	if p := a.n.zre.peers[bob]; p == nil || p.key != pb {
		t.Error("the owner's beacon is refused for a forged one")
	}
	a.n.zre.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	s.advance(2 * time.Second)
	a.n.zre.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	m := simHello("tcp://10.0.0.1:10")
	m.Headers = map[string]string{publicKeyHeader: pb}
	m.sequence = 1
	header, _ := m.append(nil)
	a.n.zre.receive(s.now, &transport.Packet{From: appendIdentity(nil, bob), Header: header, UserID: pb, Address: thisHost})
	if p := a.n.zre.peers[bob]; p == nil || !p.isEntered() || p.key != pb {
		t.Error("the owner's HELLO is refused for a forged beacon")
	}
}

// logLines counts what is logged, by level.
type logLines struct {
	slog.Handler
	mu    sync.Mutex
	count map[slog.Level]int
}

func newLogLines() *logLines {
	return &logLines{Handler: slog.DiscardHandler, count: map[slog.Level]int{}}
}

func (l *logLines) Enabled(context.Context, slog.Level) bool { return true }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler       { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(r.Message, "refused") {
		l.count[r.Level]++
	}
	return nil
}

// Refusals are all counted and logged, but who tries again and again fills no log with
// warnings; a node that gossip tells of without a key is not tried again.
func TestNode_refusals(t *testing.T) {
	public, secret := keyPair(t)
	lines := newLogLines()
	s := newSim(t, 1)
	a := s.node(func(cfg *config, _ *simSite) {
		cfg.curve.publicKey, cfg.curve.secretKey = public, secret
		cfg.curve.restricted, cfg.curve.authorized = true, []string{public}
		cfg.logger, cfg.logs = newLogger(lines)
	})
	other, _ := keyPair(t)
	const times = 100
	for range times {
		s.advance(100 * time.Millisecond)
		a.n.tuple(s.now, zgossip.Tuple{Key: uuidString([16]byte{5}), Value: "tcp://10.0.0.1:9"})
		a.n.zre.sightedWithKey(s.now, [16]byte{6}, "tcp://10.0.0.2:9", other)
	}
	s.advance(time.Minute)
	a.n.cfg.logs.flush()
	refused := int(a.n.zre.counters.keysRefused)
	if warned, debug := lines.count[slog.LevelWarn], lines.count[slog.LevelDebug]; refused != 2*times || warned != 2 || debug != refused-2 {
		t.Errorf("%d refusals, %d warnings, %d at level Debug, want %d, 2 and the rest", refused, warned, debug, 2*times)
	}
	if len(a.n.zre.known)+len(a.n.zre.peers) != 0 {
		t.Errorf("%d standing nodes and %d peers, want none", len(a.n.zre.known), len(a.n.zre.peers))
	}
}

// A peer that the application requires has the key that it gave, from the beginning: neither a
// HELLO nor a beacon gives its UUID another one.
func TestKeys_required(t *testing.T) {
	b, key := newSecureBench(t)
	other := transport.Z85FromRaw([32]byte{66})
	b.z.addKnownNode(b.now, stateUUID, newKnownNode(stateEndpoint, key, true))
	b.z.sightedByBeacon(b.now, stateUUID, "tcp://10.0.0.66:1", other)
	b.pass(2 * time.Second)
	b.z.sightedByBeacon(b.now, stateUUID, "tcp://10.0.0.66:1", other)
	b.helloWithKey("tcp://10.0.0.66:1", other)
	if p := b.peer(); p == nil || p.isEntered() || p.key != key || p.endpoint != stateEndpoint {
		t.Fatalf("the required peer is %+v, want it with its own key, and not entered", p)
	}
	b.helloWithKey(stateEndpoint, key)
	if !b.peer().handshake.isHelloReceived() {
		t.Error("the HELLO of the required peer itself was not taken")
	}
}
