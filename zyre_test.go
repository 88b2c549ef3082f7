package zyre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"
)

func TestZyre_twoNodesTalk(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	a.SetHeader("X-Wert", "%s", "grün").Join("hall")
	mustStart(t, a)
	mustStart(t, b)
	ra, rb := record(a), record(b)

	enter := rb.wait(t, "ENTER alice", 1)
	if v, ok := enter.Header("X-Wert"); v != "grün" || !ok {
		t.Errorf("Header(X-Wert) = %q, %v, want grün, true", v, ok)
	}
	rb.wait(t, "JOIN alice hall", 1)
	ra.wait(t, "ENTER bob", 1)
	b.Join("hall")
	ra.wait(t, "JOIN bob hall", 1)
	a.Shouts("hall", "hello %d", 42)
	rb.wait(t, "SHOUT alice hall hello 42", 1)
	b.Whisper(a.UUID(), []byte("psst"))
	e := ra.wait(t, "WHISPER bob psst", 1)
	if e.PeerUUID != b.UUID() || len(e.Frames) != 1 || !bytes.Equal(e.Frames[0], e.Msg) {
		t.Errorf("WHISPER event = %+v", e)
	}
	if got := a.Peers(); len(got) != 1 || got[0] != b.UUID() {
		t.Errorf("Peers() = %v, want [%s]", got, b.UUID())
	}
	b.Leave("hall")
	ra.wait(t, "LEAVE bob hall", 1)
	b.Stop()
	ra.wait(t, "EXIT bob", 1)
	<-rb.done
	rb.wait(t, "STOP bob", 1)
	a.Stop()
	<-ra.done
}

func TestZyre_manyFrames(t *testing.T) {
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	b.Join("hall")
	mustStart(t, a)
	mustStart(t, b)
	ra, rb := record(a), record(b)
	ra.wait(t, "JOIN bob hall", 1)
	thousand := make([][]byte, 1000)
	for i := range thousand {
		thousand[i] = bytes.Repeat([]byte{byte(i)}, i%50)
	}
	for i, frames := range [][][]byte{{}, {{}}, {[]byte("a"), {}, []byte("c")}, thousand, {make([]byte, 8<<20)}} {
		want := frames
		if len(want) == 0 {
			want = [][]byte{{}}
		}
		if err := a.WhisperContext(t.Context(), b.UUID(), frames...); err != nil {
			t.Fatalf("WhisperContext(%d frames) = %v, want nil", len(frames), err)
		}
		if err := a.ShoutContext(t.Context(), "hall", frames...); err != nil {
			t.Fatalf("ShoutContext(%d frames) = %v, want nil", len(frames), err)
		}
		for _, pattern := range []string{"WHISPER alice", "SHOUT alice hall"} {
			e := rb.wait(t, pattern, i+1)
			if len(e.Frames) != len(want) || !bytes.Equal(e.Msg, want[0]) {
				t.Fatalf("%s: %d frames, want %d", pattern, len(e.Frames), len(want))
			}
			for j := range want {
				if !bytes.Equal(e.Frames[j], want[j]) {
					t.Fatalf("%s: frame %d differs", pattern, j)
				}
			}
		}
	}
}

// everyMethod calls each method that must be harmless at any time.
func everyMethod(z *Zyre) map[string]func() {
	ctx := context.Background()
	return map[string]func(){
		"Join": func() { z.Join("g") }, "Leave": func() { z.Leave("g") },
		"Join long": func() { z.Join(strings.Repeat("x", 256)) },
		"Name":      func() { _ = z.Name() },
		"UUID":      func() { _ = z.UUID() },
		"Peers":     func() { _ = z.Peers() },
		"SetHeader": func() { z.SetHeader("a", "b") },
		"SetName":   func() { z.SetName("n") },
		"Shout":     func() { z.Shout("g", nil) }, "Shouts": func() { z.Shouts("g", "100%") },
		"Whisper": func() { z.Whisper("", nil) }, "Whispers": func() { z.Whispers("nobody", "100%") },
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

// everySetter calls each method that sets something for the next Start.
func everySetter(z *Zyre) map[string]func() {
	return map[string]func(){
		"SetInterface":          func() { z.SetInterface("lo") },
		"SetPort":               func() { z.SetPort(5670) },
		"SetInterval":           func() { z.SetInterval(time.Second) },
		"SetEvasiveTimeout":     func() { z.SetEvasiveTimeout(time.Second) },
		"SetSilentTimeout":      func() { z.SetSilentTimeout(time.Second) },
		"SetExpiredTimeout":     func() { z.SetExpiredTimeout(time.Second) },
		"SetBeaconPeerPort":     func() { z.SetBeaconPeerPort(0) },
		"SetQueueLimit":         func() { z.SetQueueLimit(minQueueLimit) },
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

// No method is forgotten by the tests that call every one.
func TestZyre_everyMethodIsCalled(t *testing.T) {
	z := NewZyre(t.Context())
	called := map[string]bool{"Start": true, "Stop": true}
	for _, methods := range []map[string]func(){everyMethod(z), everySetter(z)} {
		for name := range methods {
			name, _, _ = strings.Cut(name, " ")
			called[name] = true
		}
	}
	all := reflect.TypeFor[*Zyre]()
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; !called[name] {
			t.Errorf("%s is not called", name)
		}
	}
}

// states are what a node can be in, and how it gets there.
var states = map[string]func(z *Zyre, cancel func()) error{
	"before Start":            func(*Zyre, func()) error { return nil },
	"after Stop before Start": func(z *Zyre, _ func()) error { z.Stop(); return nil },
	"after Stop": func(z *Zyre, _ func()) error {
		err := z.Start()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(z.Stop)
		}
		wg.Wait()
		z.Stop()
		return err
	},
	"after cancel": func(z *Zyre, cancel func()) error {
		err := z.Start()
		cancel()
		for range z.Events() {
		}
		return err
	},
	"after cancel before Start": func(z *Zyre, cancel func()) error {
		cancel()
		for range z.Events() {
		}
		return nil
	},
}

// A node that does not run answers with what is set, with nothing, or with an error.
func TestZyre_answersWhenNotRunning(t *testing.T) {
	checkLeaks(t)
	for when, reach := range states {
		ctx, cancel := context.WithCancel(context.Background())
		z := NewZyre(ctx).SetName("idle").SetInterface("lo").SetPort(freeUDPPort(t))
		z.Join("hall")
		if err := reach(z, cancel); err != nil {
			t.Errorf("%s: Start = %v, want nil", when, err)
		}
		id := strings.Repeat("0", 32)
		value, ok := z.PeerHeaderValue(id, "x")
		var dump strings.Builder
		z.Dump(&dump)
		got := []any{z.Name(), len(z.UUID()), z.OwnGroups(), z.Peers(), z.PeersByGroup("hall"), z.PeerGroups(),
			z.PeerName(id), z.PeerAddress(id), value, ok, z.GossipEndpoint(), z.Stats(), strings.Contains(dump.String(), "not running")}
		want := []any{"idle", 32, []string{"hall"}, []string(nil), []string(nil), []string(nil),
			"", "", "", false, "", Stats{}, true}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: queries = %v, want %v", when, got, want)
		}
		if err := z.WhisperContext(t.Context(), id); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: WhisperContext = %v, want ErrNotRunning", when, err)
		}
		if err := z.ShoutContext(t.Context(), "hall"); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: ShoutContext = %v, want ErrNotRunning", when, err)
		}
		cancel()
		if err := z.Start(); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s, and cancel: Start = %v, want ErrNotRunning", when, err)
		}
	}
}

func TestZyre_errorsWhenRunning(t *testing.T) {
	z := newLoopbackNode(t, "z", freeUDPPort(t))
	mustStart(t, z)
	for what, c := range map[string]struct{ got, want error }{
		"second Start":               {z.Start(), ErrRunning},
		"WhisperContext to nonsense": {z.WhisperContext(t.Context(), "x"), ErrUnknownPeer},
		"WhisperContext to stranger": {z.WhisperContext(t.Context(), strings.Repeat("0", 32)), ErrUnknownPeer},
		"WhisperContext to itself":   {z.WhisperContext(t.Context(), z.UUID()), ErrUnknownPeer},
		"ShoutContext to nobody":     {z.ShoutContext(t.Context(), "nobody"), ErrUnknownGroup},
		"ShoutContext, long name":    {z.ShoutContext(t.Context(), strings.Repeat("x", 256)), ErrTooLong},
		"SetEndpoint":                {z.SetEndpoint("tcp://127.0.0.1:*"), ErrRunning},
		"RequirePeer with nonsense":  {z.RequirePeer("x", "y", ""), ErrInvalid},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s = %v, want %v", what, c.got, c.want)
		}
	}
}

// What cannot be sent is refused by a running node, and neither it nor the next suffers.
func TestZyre_longNamesWhenRunning(t *testing.T) {
	var log bytes.Buffer
	z := newLoopbackNode(t, "z", freeUDPPort(t)).SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	mustStart(t, z)
	long := strings.Repeat("x", 256)
	z.SetName(long).SetHeader(long, "value")
	z.Join(long)
	if z.Name() != "z" || len(z.OwnGroups()) != 0 {
		t.Errorf("Name, OwnGroups = %q, %q, want z and none", z.Name(), z.OwnGroups())
	}
	z.Stop()
	if n := strings.Count(log.String(), "too long"); n != 3 {
		t.Errorf("logged %d times, want 3:\n%s", n, &log)
	}
	mustStart(t, z)
	z.Stop()
}

func TestZyre_cancelBeforeStartEndsEvents(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	z := NewZyre(ctx)
	cancel()
	for e := range z.Events() {
		t.Errorf("event %+v, want none", e)
	}
}

func TestZyre_startReportsBadSettings(t *testing.T) {
	checkLeaks(t)
	long := strings.Repeat("x", 256)
	public, secret := keyPair(t)
	port := freeUDPPort(t)
	busy := newLoopbackNode(t, "busy", port)
	mustStart(t, busy)
	busyPort := 0
	if _, err := fmt.Sscanf(strings.TrimPrefix(firstEndpoint(busy), "tcp://127.0.0.1:"), "%d", &busyPort); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  func(z *Zyre)
		want error
		text string
	}{
		"name":      {func(z *Zyre) { z.SetName(long) }, ErrTooLong, "set name"},
		"header":    {func(z *Zyre) { z.SetHeader(long, "x") }, ErrTooLong, "set header"},
		"interface": {func(z *Zyre) { z.SetInterface("nosuch0") }, ErrNoInterface, "nosuch0"},
		"address":   {func(z *Zyre) { z.SetInterface("203.0.113.77") }, ErrNoInterface, "203.0.113.77"},
		"port":      {func(z *Zyre) { z.SetPort(65536) }, ErrInvalid, "65536"},
		"interval":  {func(z *Zyre) { z.SetInterval(0) }, ErrInvalid, "set interval"},
		"evasive":   {func(z *Zyre) { z.SetEvasiveTimeout(-1) }, ErrInvalid, "set evasive"},
		"queue":     {func(z *Zyre) { z.SetQueueLimit(1) }, ErrInvalid, "set queue limit"},
		"busy port": {func(z *Zyre) { z.SetBeaconPeerPort(busyPort) }, nil, fmt.Sprint(busyPort)},

		"advertised":      {func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://*:1") }, ErrInvalid, "tcp://*:1"},
		"busy endpoint":   {func(z *Zyre) { _ = z.SetEndpoint("tcp://127.0.0.1:%d", busyPort) }, nil, fmt.Sprint(busyPort)},
		"busy hub":        {func(z *Zyre) { z.GossipBind("tcp://127.0.0.1:%d", busyPort) }, nil, fmt.Sprint(busyPort)},
		"gossip scheme":   {func(z *Zyre) { z.GossipConnect("udp://127.0.0.1:1") }, nil, "udp://127.0.0.1:1"},
		"key of hub":      {func(z *Zyre) { z.GossipConnectCurve("x", "tcp://127.0.0.1:1") }, ErrInvalid, "gossip connect"},
		"certificate":     {func(z *Zyre) { z.SetZCert(public, public) }, ErrInvalid, "set certificate"},
		"ZAP domain":      {func(z *Zyre) { z.SetZCert(public, secret).SetZapDomain(long) }, nil, "ZAP domain"},
		"authorized key":  {func(z *Zyre) { z.SetZCert(public, secret).SetAuthorizedKeys("x") }, ErrInvalid, "set authorized"},
		"authorized only": {func(z *Zyre) { z.SetAuthorizedKeys(public) }, ErrInvalid, "set authorized"},
	} {
		z := newLoopbackNode(t, "", port)
		c.set(z)
		err := z.Start()
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: Start() = %v, want %v with %q", name, err, c.want, c.text)
		}
	}
	busy.Stop()
}

// firstEndpoint is where a running node's inbox is bound.
func firstEndpoint(z *Zyre) string {
	return ask(z, func(n *node, _ time.Time) string { return n.net.endpoints[0] })
}

func TestZyre_startStopStart(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	watcher, z := newLoopbackNode(t, "watcher", port), newLoopbackNode(t, "again", port)
	z.Join("hall")
	mustStart(t, watcher)
	r := record(watcher)
	for i := 1; i <= 100; i++ {
		mustStart(t, z)
		r.wait(t, "ENTER again", i)
		r.wait(t, "JOIN again hall", i)
		z.Stop()
		r.wait(t, "EXIT again", i)
	}
	watcher.Stop()
}

// A context that lives on does not keep the nodes in memory that it was given to.
func TestZyre_contextForgetsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	z := NewZyre(ctx).SetInterface("lo").SetPort(freeUDPPort(t))
	kept := weak.Make(z)
	for range 2 {
		mustStart(t, z)
		z.Stop()
	}
	z = nil
	eventually(t, "the node is collected", func() bool {
		runtime.GC()
		return kept.Value() == nil
	})
}
