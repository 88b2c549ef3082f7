package zyre

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zgossip"
)

// zeroKeyPair makes a key pair whose public key begins with a zero byte, which
// libzyre takes for no key at all.
func zeroKeyPair(t testing.TB) (public, secret string) {
	t.Helper()
	for {
		public, secret = keyPair(t)
		if raw, _ := rawFromZ85(public); raw[0] == 0 {
			return public, secret
		}
	}
}

// newStaticNode makes a node without beacons.
func newStaticNode(t testing.TB, name string) *Zyre {
	t.Helper()
	z := NewZyre(context.Background()).SetName(name).SetInterface("lo")
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Stop)
	return z
}

func TestZyre_secureGossip(t *testing.T) {
	checkLeaks(t)
	hub, bob := newStaticNode(t, "hub"), newStaticNode(t, "bob")
	keyless, plain, outsider := newStaticNode(t, "keyless"), newStaticNode(t, "plain"), newStaticNode(t, "outsider")
	ph, sh := keyPair(t)
	pb, sb := zeroKeyPair(t)
	pk, sk := keyPair(t)
	po, so := keyPair(t)
	hub.SetZCert(ph, sh).SetAuthorizedKeys(pb, pk).SetZapDomain("crew").GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	at := hub.GossipEndpoint()
	bob.SetZCert(pb, sb).GossipConnectCurve(ph, "%s", at)
	keyless.SetZCert(pk, sk).GossipConnect("%s", at)
	plain.GossipConnect("%s", at)
	outsider.SetZCert(po, so).GossipConnectCurve(ph, "%s", at)
	var all []*recorder
	for _, z := range []*Zyre{bob, keyless, plain, outsider} {
		mustStart(t, z)
		all = append(all, record(z))
	}
	rh := record(hub)
	all[0].wait(t, "ENTER hub", 1)
	rh.wait(t, "ENTER bob", 1)
	eventually(t, "the hub refuses the outsider", func() bool { return hub.Stats().Dropped.KeysRefused > 0 })
	start := time.Now()
	bob.Stop()
	rh.wait(t, "EXIT bob", 1)
	if took := time.Since(start); took > time.Second {
		t.Errorf("EXIT of a secure node after %v, want less than 1s", took)
	}
	pause(500 * time.Millisecond) // for anything that should not come
	if n := rh.count("ENTER"); n != 1 {
		t.Errorf("the hub saw %d ENTER, want 1:\n%s", n, rh)
	}
	for _, r := range all[1:] {
		if n := r.count("ENTER"); n != 0 {
			t.Errorf("%s saw %d ENTER, want 0", r.name, n)
		}
	}
}

func TestZyre_secureInprocEndpointIsRefused(t *testing.T) {
	z := newStaticNode(t, "z")
	public, secret := keyPair(t)
	if err := z.SetZCert(public, secret).SetEndpoint("inproc://secure"); err != nil {
		t.Fatal(err)
	}
	if err := z.Start(); err == nil {
		t.Error("Start(inproc endpoint with a certificate) = nil, want an error: CURVE needs tcp or ipc")
	}
}

// rawDealer speaks to a node as a stranger could.
type rawDealer struct {
	t   *testing.T
	soc *zmq.Socket
}

// newRawDealer connects to a node under a UUID, with a key pair or none.
func newRawDealer(t *testing.T, to *Zyre, uuid [16]byte, serverKey, public, secret string) *rawDealer {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	soc, err := ctx.NewSocket(zmq.DEALER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { soc.Close(); ctx.Term() })
	err = soc.SetLinger(0)
	if err == nil {
		err = soc.SetIdentity(string(appendIdentity(nil, uuid)))
	}
	if err == nil && public != "" {
		err = soc.ClientAuthCurve(serverKey, public, secret)
	}
	if err == nil {
		err = soc.Connect(firstEndpoint(to))
	}
	if err != nil {
		t.Fatal(err)
	}
	return &rawDealer{t, soc}
}

func (d *rawDealer) send(sequence uint16, m *ZreMsg) {
	d.t.Helper()
	m.sequence = sequence
	header, err := m.append(nil)
	if err == nil {
		_, err = d.soc.SendMessageDontwait(header, m.content())
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// securePair starts two static nodes that talk, and let anybody with a key in.
func securePair(t *testing.T, allow bool) (a, b *Zyre, pa, pb string, ra, rb *recorder) {
	t.Helper()
	a, b = newStaticNode(t, "alice"), newStaticNode(t, "bob")
	pa, sa := zeroKeyPair(t)
	pb, sb := keyPair(t)
	a.SetZCert(pa, sa)
	b.SetZCert(pb, sb)
	if !allow {
		a.SetAuthorizedKeys(pb)
		b.SetAuthorizedKeys(pa)
	}
	mustStart(t, a)
	mustStart(t, b)
	if err := a.RequirePeer(b.UUID(), firstEndpoint(b), pb); err != nil {
		t.Fatal(err)
	}
	ra, rb = record(a), record(b)
	ra.wait(t, "ENTER bob", 1)
	rb.wait(t, "ENTER alice", 1)
	return a, b, pa, pb, ra, rb
}

func TestZyre_forgedHello(t *testing.T) {
	a, b, pa, pb, ra, rb := securePair(t, true)
	pm, sm := keyPair(t)
	hello := func(header string) *ZreMsg {
		m := simHello("tcp://127.0.0.1:9")
		if header != "" {
			m.Headers = map[string]string{publicKeyHeader: header}
		}
		return m
	}
	for name, header := range map[string]string{
		"none": "", "of another": pb, "bad Z85": strings.Repeat("~", 40), "short": pm[:39], "zeros": strings.Repeat("0", 40),
	} {
		before := a.Stats().Dropped.KeysRefused
		newRawDealer(t, a, [16]byte{7}, pa, pm, sm).send(1, hello(header))
		eventually(t, "refuse a HELLO with key "+name, func() bool { return a.Stats().Dropped.KeysRefused > before })
	}
	newRawDealer(t, a, [16]byte{8}, "", "", "").send(1, hello("")) // no CURVE at all
	pause(300 * time.Millisecond)                                  // for anything that should not come
	for _, r := range []*recorder{ra, rb} {
		if n, m := r.count("ENTER"), r.count("EXIT"); n != 1 || m != 0 {
			t.Errorf("%s saw %d ENTER, %d EXIT, want 1 and 0:\n%s", r.name, n, m, r)
		}
	}
	b.Whisper(a.UUID(), []byte("still here"))
	ra.wait(t, "WHISPER bob still here", 1)
}

// Another key under the UUID of a peer: never obeyed, and nothing at all happens if
// the key is not authorized. If anybody may connect, libzmq cuts the peer off: it is
// heard again in a moment.
func TestZyre_forgedUUID(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint("open=", open), func(t *testing.T) {
			a, b, pa, _, ra, rb := securePair(t, open)
			pm, sm := keyPair(t)
			m := simHello("tcp://127.0.0.1:9")
			m.Headers = map[string]string{publicKeyHeader: pm}
			d := newRawDealer(t, a, b.uuid, pa, pm, sm)
			d.send(1, m)
			d.send(2, &ZreMsg{id: WhisperID, Content: []byte("forged")})
			d.send(3, NewZreMsg(GoodbyeID))
			eventually(t, "refuse another's UUID", func() bool { return a.Stats().Dropped.KeysRefused > 0 })
			start := time.Now()
			b.Whisper(a.UUID(), []byte("lost perhaps"))
			eventually(t, "hear bob", func() bool {
				b.Whisper(a.UUID(), []byte("still here"))
				pause(20 * time.Millisecond)
				return ra.count("WHISPER bob still here") > 0
			})
			t.Logf("heard again after %v", time.Since(start))
			if n := ra.count("WHISPER bob forged"); n != 0 {
				t.Errorf("the forger was heard %d times, want 0", n)
			}
			for _, r := range []*recorder{ra, rb} {
				n, m := r.count("ENTER"), r.count("EXIT")
				if !open && m != 0 || n != m+1 {
					t.Errorf("%s saw %d ENTER, %d EXIT, want 1 and 0:\n%s", r.name, n, m, r)
				}
			}
		})
	}
}

func TestZyre_forgedBeacon(t *testing.T) {
	a, b, _, pb, ra, _ := securePair(t, true)
	pm, _ := keyPair(t)
	raw := func(key string) [32]byte { r, _ := rawFromZ85(key); return r }
	plain, err := newBeaconMsg(b.uuid, 0).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong, _ := newSecureBeaconMsg(b.uuid, 0, raw(pm)).append(nil)
	right, _ := newSecureBeaconMsg(b.uuid, 0, raw(pb)).append(nil)
	moved, _ := newSecureBeaconMsg(b.uuid, 9, raw(pm)).append(nil)
	before := a.Stats().Dropped
	a.configure(func(n *node, now time.Time) {
		for _, datagram := range [][]byte{plain, wrong, right, moved} {
			n.signal(now, &Signal{Addr: "127.0.0.1", Transmit: datagram})
		}
	})
	after := a.Stats().Dropped
	if bad, refused := after.BadBeacons-before.BadBeacons, after.KeysRefused-before.KeysRefused; bad != 1 || refused != 2 {
		t.Errorf("forged beacons: %d bad, %d under a wrong key; want 1 and 2", bad, refused)
	}
	pause(1500 * time.Millisecond) // more than bob has to answer the ping
	if n := ra.count("EXIT"); n != 0 {
		t.Errorf("forged beacons: %d EXIT, want 0", n)
	}
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
	a.n.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	s.advance(2 * time.Second)
	a.n.sightedWithKey(s.now, bob, "tcp://10.0.0.1:10", pb)
	if p := a.n.peers[bob]; p == nil || p.key != pb {
		t.Error("the owner's beacon is refused for a forged one")
	}
	a.n.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	s.advance(2 * time.Second)
	a.n.sightedWithKey(s.now, bob, "tcp://10.0.0.1:9", pm)
	m := simHello("tcp://10.0.0.1:10")
	m.Headers = map[string]string{publicKeyHeader: pb}
	m.sequence = 1
	header, _ := m.append(nil)
	a.n.receive(s.now, &packet{from: appendIdentity(nil, bob), header: header, userID: pb})
	if p := a.n.peers[bob]; p == nil || !p.entered() || p.key != pb {
		t.Error("the owner's HELLO is refused for a forged beacon")
	}
}

// wiretap passes TCP on and keeps every byte.
type wiretap struct {
	mu   sync.Mutex
	seen bytes.Buffer
	net.Listener
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.Write(b)
}

func (w *wiretap) contains(s string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.seen.Bytes(), []byte(s))
}

// newWiretap listens, and passes on to where() says.
func newWiretap(t *testing.T, to func() string) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(to(), "tcp://"))
			if err != nil {
				in.Close()
				continue
			}
			pass := func(dst, src net.Conn) { _, _ = io.Copy(io.MultiWriter(w, dst), src); dst.Close(); src.Close() }
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return w
}

func TestZyre_eavesdropper(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure=", secure), func(t *testing.T) {
			a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
			key := ""
			if secure {
				a.SetZCert(keyPair(t))
				var secret string
				key, secret = keyPair(t)
				b.SetZCert(key, secret)
			}
			tap := newWiretap(t, func() string { return firstEndpoint(b) })
			at := "tcp://" + tap.Addr().String()
			b.SetAdvertisedEndpoint(at)
			mustStart(t, a)
			mustStart(t, b)
			ra, rb := record(a), record(b)
			if err := a.RequirePeer(b.UUID(), at, key); err != nil {
				t.Fatal(err)
			}
			ra.wait(t, "ENTER bob", 1)
			rb.wait(t, "ENTER alice", 1)
			const secret = "the treasure is under the oak"
			a.Whispers(b.UUID(), secret)
			rb.wait(t, "WHISPER alice "+secret, 1)
			if got := tap.contains(secret); got == secure {
				t.Errorf("the payload is on the wire: %t, want %t", got, !secure)
			}
			if !tap.contains("\xff\x00\x00\x00") {
				t.Error("the wiretap heard nothing of ZMTP")
			}
			a.Stop()
			b.Stop()
		})
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
		cfg.logger = slog.New(lines)
	})
	other, _ := keyPair(t)
	const times = 100
	for range times {
		s.advance(100 * time.Millisecond)
		a.n.tuple(s.now, zgossip.Tuple{Key: uuidString([16]byte{5}), Value: "tcp://10.0.0.1:9"})
		a.n.sightedWithKey(s.now, [16]byte{6}, "tcp://10.0.0.2:9", other)
		a.n.allow("global", "10.0.0.2", other)
	}
	s.advance(time.Minute)
	refused := int(a.n.counters.keysRefused + a.n.security.refused.Load())
	if warned, debug := lines.count[slog.LevelWarn], lines.count[slog.LevelDebug]; refused != 3*times || warned+debug != refused ||
		warned < 2*warningBurst || warned > 2*warningBurst+4 {
		t.Errorf("%d refusals, %d warnings, %d at level Debug, want %d, about %d and the rest", refused, warned, debug, 3*times, 2*warningBurst)
	}
	if len(a.n.standing)+len(a.n.peers) != 0 {
		t.Errorf("%d standing nodes and %d peers, want none", len(a.n.standing), len(a.n.peers))
	}
}

// The header with the key is the node's own.
func TestZyre_publicKeyHeader(t *testing.T) {
	z := newStaticNode(t, "z")
	public, secret := keyPair(t)
	z.SetHeader(publicKeyHeader, "before").SetZCert(public, secret)
	mustStart(t, z)
	z.SetHeader(publicKeyHeader, "after")
	if got := ask(z, func(n *node, _ time.Time) string { return n.helloTo(&Peer{}).Headers[publicKeyHeader] }); got != public {
		t.Errorf("%s in HELLO = %q, want %q", publicKeyHeader, got, public)
	}
}
