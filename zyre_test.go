package zyre_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"weak"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

// states are what a node can be in, and how it gets there.
var states = map[string]func(z *zyre.Zyre, cancel func()) error{
	"before Start":            func(*zyre.Zyre, func()) error { return nil },
	"after Stop before Start": func(z *zyre.Zyre, _ func()) error { z.Stop(); return nil },
	"after Stop": func(z *zyre.Zyre, _ func()) error {
		err := z.Start()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(z.Stop)
		}
		wg.Wait()
		z.Stop()
		return err
	},
	"after cancel": func(z *zyre.Zyre, cancel func()) error {
		err := z.Start()
		cancel()
		for range z.Events() {
		}
		return err
	},
	"after cancel before Start": func(z *zyre.Zyre, cancel func()) error {
		cancel()
		for range z.Events() {
		}
		return nil
	},
}

// No method is forgotten by the tests that call every one.
func TestZyre_everyMethodIsCalled(t *testing.T) {
	z := zyre.NewZyre(t.Context())
	called := map[string]bool{"Start": true, "Stop": true}
	for _, methods := range []map[string]func(){kit.EveryMethod(z), kit.EverySetter(z)} {
		for name := range methods {
			name, _, _ = strings.Cut(name, " ")
			called[name] = true
		}
	}
	all := reflect.TypeFor[*zyre.Zyre]()
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; !called[name] {
			t.Errorf("%s is not called", name)
		}
	}
}

// A node that does not run answers with what is set, with nothing, or with an error.
func TestZyre_answersWhenNotRunning(t *testing.T) {
	leak.Check(t)
	for when, reach := range states {
		ran := when == "after Stop" || when == "after cancel"
		ctx, cancel := context.WithCancel(context.Background())
		z := zyre.NewZyre(ctx).SetName("idle").SetInterface("lo").SetPort(kit.FreeUDPPort(t))
		z.Join("hall")
		if err := reach(z, cancel); err != nil {
			t.Errorf("%s: Start = %v, want nil", when, err)
		}
		id := strings.Repeat("0", 32)
		value, ok := z.PeerHeaderValue(id, "x")
		var dump strings.Builder
		z.Dump(&dump)
		got := []any{z.Name(), len(z.UUID()), z.OwnGroups(), z.Peers(), z.PeersByGroup("hall"), z.PeerGroups(),
			z.PeerName(id), z.PeerAddress(id), value, ok, z.GossipEndpoint(), z.Endpoint(),
			z.Stats().Beacon.Sent > 0, z.Stats().Peers, strings.Contains(dump.String(), "not running")}
		want := []any{"idle", 32, []string{"hall"}, []string(nil), []string(nil), []string(nil),
			"", "", "", false, "", "", ran, 0, true}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: queries = %v, want %v", when, got, want)
		}
		if err := z.WhisperContext(t.Context(), id); !errors.Is(err, zyre.ErrNotRunning) {
			t.Errorf("%s: WhisperContext = %v, want zyre.ErrNotRunning", when, err)
		}
		if err := z.ShoutContext(t.Context(), "hall"); !errors.Is(err, zyre.ErrNotRunning) {
			t.Errorf("%s: ShoutContext = %v, want zyre.ErrNotRunning", when, err)
		}
		cancel()
		if err := z.Start(); !errors.Is(err, zyre.ErrNotRunning) {
			t.Errorf("%s, and cancel: Start = %v, want zyre.ErrNotRunning", when, err)
		}
	}
}

func TestZyre_errorsWhenRunning(t *testing.T) {
	z := kit.NewNode(t, "z", kit.FreeUDPPort(t))
	kit.MustStart(t, z)
	for what, c := range map[string]struct{ got, want error }{
		"second Start":               {z.Start(), zyre.ErrRunning},
		"WhisperContext to nonsense": {z.WhisperContext(t.Context(), "x"), zyre.ErrUnknownPeer},
		"WhisperContext to stranger": {z.WhisperContext(t.Context(), strings.Repeat("0", 32)), zyre.ErrUnknownPeer},
		"WhisperContext to itself":   {z.WhisperContext(t.Context(), z.UUID()), zyre.ErrUnknownPeer},
		"ShoutContext to nobody":     {z.ShoutContext(t.Context(), "nobody"), zyre.ErrUnknownGroup},
		"ShoutContext, long name":    {z.ShoutContext(t.Context(), strings.Repeat("x", 256)), zyre.ErrTooLong},
		"SetEndpoint":                {z.SetEndpoint("tcp://127.0.0.1:*"), zyre.ErrRunning},
		"RequirePeer with nonsense":  {z.RequirePeer("x", "y", ""), zyre.ErrInvalid},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s = %v, want %v", what, c.got, c.want)
		}
	}
}

func TestZyre_cancelBeforeStartEndsEvents(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	z := zyre.NewZyre(ctx)
	cancel()
	for e := range z.Events() {
		t.Errorf("event %+v, want none", e)
	}
}

// A context that lives on does not keep the nodes in memory that it was given to.
func TestZyre_contextForgetsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, use := range map[string]func(z *zyre.Zyre){
		"never started": func(*zyre.Zyre) {},
		"stopped":       func(z *zyre.Zyre) { z.Stop() },
		"cannot start": func(z *zyre.Zyre) {
			if z.SetInterface("none-such").Start() == nil {
				t.Error("Start() = nil, want an error")
			}
			z.Stop()
		},
		"has run twice": func(z *zyre.Zyre) {
			for range 2 {
				kit.MustStart(t, z)
				z.Stop()
			}
		},
	} {
		z := zyre.NewZyre(ctx).SetInterface("lo").SetPort(kit.FreeUDPPort(t))
		kept := weak.Make(z)
		use(z)
		z = nil
		watch.Until(t, name+": it is collected", func() bool {
			runtime.GC()
			return kept.Value() == nil
		})
	}
}

// Every method answers at once in every state. The best time of several counts: what
// waits for something that does not happen is slow each time.
func TestLifecycle_methodsAnswerAtOnce(t *testing.T) {
	leak.Check(t)
	reach := maps.Clone(states)
	reach["when running"] = func(z *zyre.Zyre, _ func()) error { return z.Start() }
	for when, reach := range reach {
		ctx, cancel := context.WithCancel(context.Background())
		z := zyre.NewZyre(ctx).SetInterface("lo").SetPort(kit.FreeUDPPort(t))
		if err := reach(z, cancel); err != nil {
			t.Errorf("%s: Start = %v, want nil", when, err)
		}
		for _, methods := range []map[string]func(){kit.EveryMethod(z), kit.EverySetter(z)} {
			for name, call := range methods {
				if took := kit.BestTime(5, call); took > 10*time.Millisecond {
					t.Errorf("%s %s took %v, want at most 10ms", name, when, took)
				}
			}
		}
		cancel()
		z.Stop()
	}
}

// Nodes leave nothing behind, however they end.
func TestLifecycle_cyclesLeaveNothing(t *testing.T) {
	port := kit.FreeUDPPort(t)
	cycle := map[string]func() error{
		"Stop": func() error {
			z := zyre.NewZyre(context.Background()).SetInterface("lo").SetPort(port)
			err := z.Start()
			z.Stop()
			return err
		},
		"cancel": func() error {
			ctx, cancel := context.WithCancel(context.Background())
			z := zyre.NewZyre(ctx).SetInterface("lo").SetPort(port)
			err := z.Start()
			cancel()
			for range z.Events() {
			}
			return err
		},
		"failed Start": func() error {
			z := zyre.NewZyre(context.Background()).SetInterface("lo").SetPort(port).SetBeaconPeerPort(1)
			if syscall.Getuid() == 0 {
				z.SetInterface("203.0.113.9")
			}
			if z.Start() == nil {
				return errors.New("Start = nil, want an error")
			}
			return nil
		},
	}
	for name, once := range cycle {
		t.Run(name, func(t *testing.T) {
			if err := once(); err != nil { // what is made once and kept
				t.Fatal(err)
			}
			leak.Check(t)
			for range kit.Long(1000, 200) {
				if err := once(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
