package local_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

func TestZyre_secureGossip(t *testing.T) {
	leak.Check(t)
	hub, bob := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "bob")
	keyless, plain, outsider := kit.NewStaticNode(t, "keyless"), kit.NewStaticNode(t, "plain"), kit.NewStaticNode(t, "outsider")
	ph, sh := kit.KeyPair(t)
	pb, sb := kit.ZeroKeyPair(t)
	pk, sk := kit.KeyPair(t)
	po, so := kit.KeyPair(t)
	hub.SetZCert(ph, sh).SetAuthorizedKeys(pb, pk).SetZapDomain("crew").GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, hub)
	at := hub.GossipEndpoint()
	bob.SetZCert(pb, sb).GossipConnectCurve(ph, "%s", at)
	keyless.SetZCert(pk, sk).GossipConnect("%s", at)
	plain.GossipConnect("%s", at)
	outsider.SetZCert(po, so).GossipConnectCurve(ph, "%s", at)
	var all []*watch.Log
	for _, z := range []*zyre.Zyre{bob, keyless, plain, outsider} {
		kit.MustStart(t, z)
		all = append(all, watch.Record(z))
	}
	rh := watch.Record(hub)
	all[0].Wait(t, "ENTER hub", 1)
	rh.Wait(t, "ENTER bob", 1)
	watch.Until(t, "the hub refuses the outsider", func() bool { return hub.Stats().Dropped.KeysRefused > 0 })
	start := time.Now()
	bob.Stop()
	rh.Wait(t, "EXIT bob", 1)
	if took := time.Since(start); took > time.Second {
		t.Errorf("EXIT of a secure node after %v, want less than 1s", took)
	}
	// The others have had as long as it takes one who may enter.
	late := kit.NewStaticNode(t, "late")
	late.SetZCert(pb, sb).GossipConnectCurve(ph, "%s", at)
	kit.MustStart(t, late)
	rh.Wait(t, "ENTER late", 1)
	if n := rh.Count("ENTER"); n != 2 {
		t.Errorf("the hub saw %d ENTER, want those of bob and late:\n%s", n, rh)
	}
	for _, r := range all[1:] {
		if n := r.Count("ENTER"); n != 0 {
			t.Errorf("%s saw %d ENTER, want 0", r.Name, n)
		}
	}
}

// securePair starts two static nodes that talk. Open ones let anybody with a key in, and
// with a UDP port they hear beacons too.
func securePair(t *testing.T, open bool, port int) (a, b *zyre.Zyre, pa, pb string, ra, rb *watch.Log) {
	t.Helper()
	a, b = kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
	pa, sa := kit.ZeroKeyPair(t)
	pb, sb := kit.KeyPair(t)
	a.SetZCert(pa, sa)
	b.SetZCert(pb, sb)
	if port != 0 {
		a.SetPort(port)
		b.SetPort(port)
	}
	if !open {
		a.SetAuthorizedKeys(pb)
		b.SetAuthorizedKeys(pa)
	}
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	if err := a.RequirePeer(b.UUID(), kit.Endpoint(t, b), pb); err != nil {
		t.Fatal(err)
	}
	ra, rb = watch.Record(a), watch.Record(b)
	ra.Wait(t, "ENTER bob", 1)
	rb.Wait(t, "ENTER alice", 1)
	return a, b, pa, pb, ra, rb
}

func TestZyre_forgedHello(t *testing.T) {
	a, b, pa, pb, ra, rb := securePair(t, true, 0)
	pm, sm := kit.KeyPair(t)
	at, keys := kit.Endpoint(t, a), foreignnet.ConnOptions{ServerKey: pa, PublicKey: pm, SecretKey: sm}
	hello := func(keys foreignnet.ConnOptions, name string, headers ...foreign.Header) {
		s := newStranger(t, foreignnet.Options{Name: name, Headers: headers})
		s.dial(at, keys)
		s.say(s.Hello())
	}
	for name, key := range map[string]string{
		"of another": pb, "bad Z85": strings.Repeat("~", 40), "short": pm[:39], "zeros": strings.Repeat("0", 40), "none": "",
	} {
		before := a.Stats().Dropped.KeysRefused
		hello(keys, "forger", foreign.Header{Key: publicKeyHeader, Value: key})
		watch.Until(t, "refuse a HELLO with key "+name, func() bool { return a.Stats().Dropped.KeysRefused > before })
	}
	before := a.Stats().Dropped.KeysRefused
	hello(keys, "forger")
	watch.Until(t, "refuse a HELLO without a key", func() bool { return a.Stats().Dropped.KeysRefused > before })
	hello(foreignnet.ConnOptions{}, "forger") // no CURVE at all
	// One who tells the truth enters, and nobody who came before.
	hello(keys, "stranger", foreign.Header{Key: publicKeyHeader, Value: pm})
	ra.Wait(t, "ENTER stranger", 1)
	b.Whisper(a.UUID(), []byte("still here"))
	ra.Wait(t, "WHISPER bob still here", 1)
	a.Whisper(b.UUID(), []byte("so am I"))
	rb.Wait(t, "WHISPER alice so am I", 1)
	for r, want := range map[*watch.Log]int{ra: 2, rb: 1} {
		if n, m := r.Count("ENTER"), r.Count("EXIT"); n != want || m != 0 {
			t.Errorf("%s saw %d ENTER, %d EXIT, want %d and 0:\n%s", r.Name, n, m, want, r)
		}
	}
}

// Another key under the UUID of a peer: never obeyed, and nothing at all happens if
// the key is not authorized. If anybody may connect, libzmq cuts the peer off: it is
// heard again in a moment.
func TestZyre_forgedUUID(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint("open=", open), func(t *testing.T) {
			a, b, pa, _, ra, rb := securePair(t, open, 0)
			pm, sm := kit.KeyPair(t)
			forger := newStranger(t, foreignnet.Options{
				UUID: kit.UUIDBytes(t, b), Headers: []foreign.Header{{Key: publicKeyHeader, Value: pm}},
			})
			forger.dial(kit.Endpoint(t, a), foreignnet.ConnOptions{ServerKey: pa, PublicKey: pm, SecretKey: sm})
			forger.say(forger.Hello())
			forger.whisper("forged")
			forger.say(foreign.Message{ID: foreign.GoodbyeID})
			watch.Until(t, "refuse another's UUID", func() bool { return a.Stats().Dropped.KeysRefused > 0 })
			start := time.Now()
			b.Whisper(a.UUID(), []byte("lost perhaps"))
			watch.Until(t, "hear bob", func() bool {
				b.Whisper(a.UUID(), []byte("still here"))
				return ra.Count("WHISPER bob still here") > 0
			})
			t.Logf("heard again after %v", time.Since(start))
			if n := ra.Count("WHISPER bob forged"); n != 0 {
				t.Errorf("the forger was heard %d times, want 0", n)
			}
			for _, r := range []*watch.Log{ra, rb} {
				n, m := r.Count("ENTER"), r.Count("EXIT")
				if !open && m != 0 || n != m+1 {
					t.Errorf("%s saw %d ENTER, %d EXIT, want 1 and 0:\n%s", r.Name, n, m, r)
				}
			}
		})
	}
}

func TestZyre_forgedBeacon(t *testing.T) {
	port := kit.FreeUDPPort(t)
	a, b, _, pb, ra, rb := securePair(t, true, port)
	pm, _ := kit.KeyPair(t)
	bob := kit.UUIDBytes(t, b)
	before := a.Stats().Dropped
	bad := func() uint64 { return a.Stats().Dropped.BadBeacons - before.BadBeacons }
	refused := func() uint64 { return a.Stats().Dropped.KeysRefused - before.KeysRefused }
	broadcast(t, port,
		foreign.AppendBeacon(nil, bob, 0), // a plain goodbye
		secureBeacon(bob, 0, pm),          // a goodbye under a wrong key
		secureBeacon(bob, 0, pb),          // and under the right one, which everybody can read
		secureBeacon(bob, 9, pm),          // news that bob has moved
	)
	watch.Until(t, "alice refuses the forged beacons", func() bool { return bad() >= 1 && refused() >= 2 })
	// What alice asks bob because of them, she asks before this, and he answers before that.
	a.Whispers(b.UUID(), "are you there")
	rb.Wait(t, "WHISPER alice are you there", 1)
	b.Whispers(a.UUID(), "still here")
	ra.Wait(t, "WHISPER bob still here", 1)
	if bad() != 1 || refused() != 2 {
		t.Errorf("forged beacons: %d bad, %d under a wrong key; want 1 and 2", bad(), refused())
	}
	for _, r := range []*watch.Log{ra, rb} {
		if n := r.Count("EXIT"); n != 0 {
			t.Errorf("forged beacons: %s saw %d EXIT, want 0", r.Name, n)
		}
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

// newWiretap listens, and passes on to where a node is, which may start later.
func newWiretap(t *testing.T, to *zyre.Zyre) *wiretap {
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
			out, err := net.Dial("tcp", strings.TrimPrefix(kit.EndpointOf(to), "tcp://"))
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
			a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
			key := ""
			if secure {
				a.SetZCert(kit.KeyPair(t))
				var secret string
				key, secret = kit.KeyPair(t)
				b.SetZCert(key, secret)
			}
			tap := newWiretap(t, b)
			at := "tcp://" + tap.Addr().String()
			b.SetAdvertisedEndpoint(at)
			kit.MustStart(t, a)
			kit.MustStart(t, b)
			ra, rb := watch.Record(a), watch.Record(b)
			if err := a.RequirePeer(b.UUID(), at, key); err != nil {
				t.Fatal(err)
			}
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			const secret = "the treasure is under the oak"
			a.Whispers(b.UUID(), secret)
			rb.Wait(t, "WHISPER alice "+secret, 1)
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

// The header with the key is the node's own.
func TestZyre_publicKeyHeader(t *testing.T) {
	z, other := kit.NewStaticNode(t, "z"), kit.NewStaticNode(t, "other")
	public, secret := kit.KeyPair(t)
	z.SetHeader(publicKeyHeader, "before").SetZCert(public, secret)
	other.SetZCert(kit.KeyPair(t))
	kit.MustStart(t, z, other)
	z.SetHeader(publicKeyHeader, "after")
	if err := other.RequirePeer(z.UUID(), kit.Endpoint(t, z), public); err != nil {
		t.Fatal(err)
	}
	watch.Record(z)
	e := watch.Record(other).Wait(t, "ENTER z", 1)
	if got, _ := e.Header(publicKeyHeader); got != public {
		t.Errorf("%s in ENTER = %q, want %q", publicKeyHeader, got, public)
	}
}
