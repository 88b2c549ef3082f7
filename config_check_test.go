package zyre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// settings are the setters that act at the next Start, each with a value that is wrong,
// what Start then says, and one that is right.
var settings = []struct {
	name, says   string
	wrong, right func(z *Zyre)
}{
	{"SetInterface", "", nil, func(z *Zyre) { z.SetInterface("127.0.0.1") }},
	{"SetVerbose", "", nil, func(z *Zyre) { z.SetVerbose() }},
	{"SetShareView", "", nil, func(z *Zyre) { z.SetShareView(true) }},
	{"SetLogger", "", nil, func(z *Zyre) { z.SetLogger(nil) }},
	{"SetPort", "set port -1: must be 1 to 65535", func(z *Zyre) { z.SetPort(-1) }, func(z *Zyre) { z.SetPort(5671) }},
	{"SetInterval", "set interval 0s: must be 10ms or more",
		func(z *Zyre) { z.SetInterval(0) }, func(z *Zyre) { z.SetInterval(time.Minute) }},
	{"SetEvasiveTimeout", "set evasive timeout -1ns: must be 10ms or more",
		func(z *Zyre) { z.SetEvasiveTimeout(-1) }, func(z *Zyre) { z.SetEvasiveTimeout(time.Second) }},
	{"SetSilentTimeout", "set silent timeout 9ms: must be 10ms or more",
		func(z *Zyre) { z.SetSilentTimeout(9 * time.Millisecond) }, func(z *Zyre) { z.SetSilentTimeout(time.Second) }},
	{"SetExpiredTimeout", "set expired timeout 0s: must be 10ms or more",
		func(z *Zyre) { z.SetExpiredTimeout(0) }, func(z *Zyre) { z.SetExpiredTimeout(time.Minute) }},
	{"SetStalledTimeout", "set stalled timeout 0s: must be 10ms or more",
		func(z *Zyre) { z.SetStalledTimeout(0) }, func(z *Zyre) { z.SetStalledTimeout(time.Minute) }},
	{"SetEvasiveTimeout and SetExpiredTimeout", "set evasive timeout 2s: must be less than the expired timeout, 1s",
		func(z *Zyre) { z.SetExpiredTimeout(time.Second).SetEvasiveTimeout(2 * time.Second) },
		func(z *Zyre) { z.SetExpiredTimeout(3 * time.Second) }},
	{"SetBeaconPeerPort", "set beacon peer port 65536: must be 0 to 65535",
		func(z *Zyre) { z.SetBeaconPeerPort(65536) }, func(z *Zyre) { z.SetBeaconPeerPort(0).SetBeaconPeerPort(1) }},
	{"SetQueueLimit", "set queue limit 1: must be 65536 or more",
		func(z *Zyre) { z.SetQueueLimit(1) }, func(z *Zyre) { z.SetQueueLimit(1 << 20) }},
	{"SetMaxMessage", "set max message 1048575: must be 1048576 or more",
		func(z *Zyre) { z.SetMaxMessage(1<<20 - 1) }, func(z *Zyre) { z.SetMaxMessage(1 << 20) }},
	{"SetAdvertisedEndpoint", "set advertised endpoint tcp://*:1: must be tcp://address:port, ipc://path or inproc://name",
		func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://*:1") }, func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://127.0.0.1:1") }},
	{"GossipBind", "gossip bind nonsense: must be tcp://address:port, where the port * takes a free one, ipc://path or inproc://name",
		func(z *Zyre) { z.GossipBind("nonsense") }, func(z *Zyre) { z.GossipBind("inproc://config-hub") }},
	{"GossipConnect", "gossip connect udp://127.0.0.1:1: must be tcp://address:port, ipc://path or inproc://name",
		func(z *Zyre) { z.GossipConnect("udp://127.0.0.1:1") }, func(z *Zyre) { z.GossipConnect("tcp://127.0.0.1:1") }},
	{"GossipConnectCurve", "gossip connect tcp://127.0.0.1:1: the public key must be 40 characters of Z85",
		func(z *Zyre) { z.GossipConnectCurve("key", "tcp://127.0.0.1:1") },
		func(z *Zyre) { z.GossipConnectCurve(strings.Repeat("0", 40), "tcp://127.0.0.1:1") }},
	{"SetZapDomain", "set ZAP domain " + strings.Repeat("x", 201) + ": must be of 200 bytes or less",
		func(z *Zyre) { z.SetZapDomain(strings.Repeat("x", 201)) }, func(z *Zyre) { z.SetZapDomain("domain") }},
	{"SetUUID", "set UUID bob: must be 32 hexadecimal digits",
		func(z *Zyre) { z.SetUUID("bob") }, func(z *Zyre) { z.SetUUID(strings.Repeat("1", 32)) }},
}

// liveSettings act on a running node too.
var liveSettings = []struct {
	name, says   string
	wrong, right func(z *Zyre)
}{
	{"SetName", "set name " + strings.Repeat("x", 20) + "…: longer than 255 bytes",
		func(z *Zyre) { z.SetName(strings.Repeat("x", 256)) }, func(z *Zyre) { z.SetName("n") }},
	{"SetHeader", "set header " + strings.Repeat("x", 20) + "…: longer than 255 bytes",
		func(z *Zyre) { z.SetHeader(strings.Repeat("x", 256), "v") }, func(z *Zyre) { z.SetHeader("k", "v") }},
	{"SetContestInGroup", "contest in group " + strings.Repeat("x", 20) + "…: longer than 255 bytes",
		func(z *Zyre) { z.SetContestInGroup(strings.Repeat("x", 256)) }, func(z *Zyre) { z.SetContestInGroup("g") }},
}

// quietNode makes a node that keeps off the network, and the log of it.
func quietNode(t *testing.T) (*Zyre, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	z := newLoopbackNode(t, "quiet", freeUDPPort(t))
	z.SetLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return z, log
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// What makes no sense fails Start, in one line that names it and says what would be right,
// until the setter is given something better.
func TestSet_wrongAndHealed(t *testing.T) {
	for _, c := range append(settings, liveSettings...) {
		if c.wrong == nil {
			continue
		}
		z, _ := quietNode(t)
		c.wrong(z)
		err := z.Start()
		want := "zyre: start: " + c.says
		if err == nil || err.Error() != want || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLong) {
			t.Errorf("%s, wrong: Start() = %v, want %s", c.name, err, want)
		}
		c.right(z)
		z.lock()
		cfg := z.cfg.clone()
		z.mu.Unlock()
		if err := cfg.complete(); err != nil {
			t.Errorf("%s, wrong, then right: %v, want nil", c.name, err)
		}
		z.Stop()
	}
}

// Several settings that make no sense are all named, in one line.
func TestSet_severalWrong(t *testing.T) {
	z, _ := quietNode(t)
	err := z.SetPort(0).SetInterval(0).Start()
	if want := "zyre: start: set interval 0s: must be 10ms or more; set port 0: must be 1 to 65535"; err == nil || err.Error() != want {
		t.Errorf("Start() = %v, want %s", err, want)
	}
}

// A setter that cannot act on a running node changes nothing, now or later, and says so.
func TestSet_whenRunning(t *testing.T) {
	z, log := quietNode(t)
	public, secret := keyPair(t)
	mustStart(t, z)
	said := 0
	calls := append(settings, struct {
		name, says   string
		wrong, right func(z *Zyre)
	}{"SetZCert", "", nil, func(z *Zyre) { z.SetZCert(public, secret) }})
	for _, c := range calls {
		for _, call := range []func(*Zyre){c.wrong, c.right} {
			if call == nil {
				continue
			}
			before := settingsOf(z)
			call(z)
			if after := settingsOf(z); !reflect.DeepEqual(before, after) {
				t.Errorf("%s on a running node changes what is set:\n%+v\n%+v", c.name, before, after)
			}
			z.cfg.logs.flush()
			if n := strings.Count(log.String(), "not set: the node is running"); n <= said {
				t.Errorf("%s on a running node is not told", c.name)
			} else {
				said = n
			}
		}
	}
	for _, c := range liveSettings {
		before := settingsOf(z)
		c.wrong(z)
		z.cfg.logs.flush()
		if after := settingsOf(z); !reflect.DeepEqual(before, after) || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s, wrong, on a running node is not told, or changes something", c.name)
		}
	}
	if err := z.SetEndpoint("tcp://127.0.0.1:1"); !errors.Is(err, ErrRunning) {
		t.Errorf("SetEndpoint() = %v, want ErrRunning", err)
	}
	z.SetAuthorizedKeys(public)
	z.cfg.logs.flush()
	if !strings.Contains(log.String(), "needs a certificate") || z.cfg.curve.restricted {
		t.Error("SetAuthorizedKeys on a running node without a certificate is not told, or changes something")
	}
	z.Stop()
	mustStart(t, z)
}

// settingsOf copies all that is set but the logger.
func settingsOf(z *Zyre) config {
	z.lock()
	defer z.mu.Unlock()
	c := z.cfg.clone()
	c.logger, c.logs = nil, nil
	return c
}

// Without a value of their own, the timeouts follow a shorter expired timeout.
func TestConfig_completeTimeouts(t *testing.T) {
	for _, c := range []struct{ set, want timeouts }{
		{timeouts{}, timeouts{5 * time.Second, 10 * time.Second, 30 * time.Second}},
		{timeouts{expired: 15 * time.Second}, timeouts{5 * time.Second, 10 * time.Second, 15 * time.Second}},
		{timeouts{expired: 6 * time.Second}, timeouts{5 * time.Second, 4 * time.Second, 6 * time.Second}},
		{timeouts{expired: 3 * time.Second}, timeouts{time.Second, 2 * time.Second, 3 * time.Second}},
		{timeouts{silent: 8 * time.Second, expired: 3 * time.Second}, timeouts{time.Second, 8 * time.Second, 3 * time.Second}},
	} {
		z := NewZyre(t.Context())
		if c.set.silent != 0 {
			z.SetSilentTimeout(c.set.silent)
		}
		if c.set.expired != 0 {
			z.SetExpiredTimeout(c.set.expired)
		}
		cfg := settingsOf(z)
		err := cfg.complete()
		if got := (timeouts{cfg.evasive, cfg.silent, cfg.expired}); err != nil || got != c.want {
			t.Errorf("%+v: complete() = %v, timeouts %+v, want nil, %+v", c.set, err, got, c.want)
		}
	}
}

// Errors are one line with one prefix.
func TestErrors_oneLine(t *testing.T) {
	busy := newLoopbackNode(t, "busy", freeUDPPort(t))
	must(t, "SetEndpoint", busy.SetEndpoint("tcp://127.0.0.1:*"))
	mustStart(t, busy)
	taken := busy.Endpoint()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		fail func(z *Zyre) error
		want string
		is   error
	}{
		"interface": {func(z *Zyre) error { return z.SetInterface("nosuch0").Start() }, `no such network interface: "nosuch0"`, ErrNoInterface},
		"localhost": {func(z *Zyre) error { return errors.Join(z.SetEndpoint("tcp://localhost:*"), z.Start()) },
			"zyre: start: bind tcp://localhost:*: no such device: the host must be an address, or an interface's name; for localhost write 127.0.0.1", nil},
		"hub at localhost": {func(z *Zyre) error { return z.GossipBind("tcp://localhost:*").Start() }, "for localhost write 127.0.0.1", nil},
		"busy endpoint":    {func(z *Zyre) error { return errors.Join(z.SetEndpoint("%s", taken), z.Start()) }, "zyre: start: bind " + taken + ": address already in use", nil},
		"busy hub":         {func(z *Zyre) error { return z.GossipBind("%s", taken).Start() }, "zyre: start: gossip: bind " + taken + ": address already in use", nil},
		"no certificate":   {func(z *Zyre) error { return z.SetAuthorizedKeys().Start() }, "zyre: start: set authorized keys: needs a certificate: call SetZCert", ErrInvalid},
		"cancelled": {func(z *Zyre) error { mustStart(t, z); return z.WhisperContext(cancelled, z.UUID()) },
			"context canceled", context.Canceled},
		"started when cancelled": {func(*Zyre) error { return NewZyre(cancelled).Start() }, "zyre: start: node is not running: context canceled", context.Canceled},
		"required UUID":          {func(z *Zyre) error { return z.RequirePeer("bob", "tcp://127.0.0.1:1", "") }, "zyre: require peer tcp://127.0.0.1:1: the UUID must be 32 hexadecimal digits", ErrInvalid},
	} {
		z, _ := quietNode(t)
		err := c.fail(z)
		z.Stop()
		text := fmt.Sprint(err)
		if err == nil || !strings.Contains(text, c.want) || c.is != nil && !errors.Is(err, c.is) ||
			strings.Contains(text, "\n") || strings.Count(text, "zyre:") != 1 || !strings.HasPrefix(text, "zyre: ") || strings.Contains(text, "zgossip") {
			t.Errorf("%s: %q, want one line with %q", name, text, c.want)
		}
		if errors.Is(err, ErrPushedBack) {
			t.Errorf("%s: %v is ErrPushedBack, want nothing of it", name, err)
		}
	}
}

// A Zyre that NewZyre has not made, and a nil where a context or writer is meant, do no
// harm.
func TestZyre_zeroAndNil(t *testing.T) {
	var zero Zyre
	zero.Dump(nil)
	zero.Dump(io.Discard)
	if len(zero.UUID()) != 32 || zero.Name() != zero.UUID()[:6] || zero.Events() == nil {
		t.Errorf("zero: UUID, Name = %q, %q, want those of a node", zero.UUID(), zero.Name())
	}
	zero.SetInterface("lo").SetPort(freeUDPPort(t))
	mustStart(t, &zero)
	zero.Stop()
	for what, call := range map[string]func(z *Zyre){
		"SetName": func(z *Zyre) { z.SetName("n") }, "SetHeader": func(z *Zyre) { z.SetHeader("k", "v") },
		"Join": func(z *Zyre) { z.Join("g") }, "Join long": func(z *Zyre) { z.Join(strings.Repeat("x", 256)) },
		"Leave": func(z *Zyre) { z.Leave("g") }, "Stop": func(z *Zyre) { z.Stop() }, "Stats": func(z *Zyre) { z.Stats() },
		"OwnGroups": func(z *Zyre) { z.OwnGroups() }, "Peers": func(z *Zyre) { z.Peers() },
		"SetZCert": func(z *Zyre) { z.SetZCert("", "") }, "SetEndpoint": func(z *Zyre) { _ = z.SetEndpoint("inproc://x") },
		"RequirePeer": func(z *Zyre) { _ = z.RequirePeer("", "", "") }, "SetAuthorizedKeys": func(z *Zyre) { z.SetAuthorizedKeys() },
		"SetContestInGroup": func(z *Zyre) { z.SetContestInGroup("g") }, "GossipUnpublish": func(z *Zyre) { z.GossipUnpublish("x") },
		"Events": func(z *Zyre) { z.Events() }, "Whisper": func(z *Zyre) { z.Whisper("x", nil) }, "Shout": func(z *Zyre) { z.Shout("x", nil) },
	} {
		t.Run(what, func(*testing.T) { call(&Zyre{}) })
	}
	z := newLoopbackNode(t, "z", freeUDPPort(t))
	mustStart(t, z)
	var none context.Context
	if err := z.WhisperContext(none, uuidString([16]byte{1})); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("WhisperContext(nil) = %v, want ErrUnknownPeer", err)
	}
	if err := z.ShoutContext(none, "nobody"); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("ShoutContext(nil) = %v, want ErrUnknownGroup", err)
	}
	z.Dump(nil)
}
