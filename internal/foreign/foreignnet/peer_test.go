package foreignnet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// Peers without beacons are told of a node. A connection may have a limit.
func TestPeer_noBeacons(t *testing.T) {
	one := startAlone(t, foreignnet.Options{Kind: foreign.Libzyre, Name: "one", Gossip: true})
	two := startAlone(t, foreignnet.Options{Kind: foreign.Pyre, Name: "two"})
	if err := one.Meet(two.UUID(), two.Endpoint()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, pair := range [][2]*foreignnet.Peer{{one, two}, {two, one}} {
		a, b := pair[0], pair[1]
		if _, err := a.WaitEvent(ctx, 1, foreignnet.IsEvent(foreign.Enter, b.UUID())); err != nil {
			t.Fatal(err)
		}
		if e := a.Events(); len(e) != 1 || e[0].Name != b.Name() || !a.HasEntered(b.UUID()) {
			t.Errorf("%s saw %v, want ENTER of %s", a.Name(), e, b.Name())
		}
		if n := a.CountMessages(foreignnet.IsMessageFrom(foreign.HelloID, b.UUID())); n != 1 {
			t.Errorf("%s got %d HELLOs, want 1", a.Name(), n)
		}
	}
	c, err := one.Connect("tcp://127.0.0.1:1", foreignnet.ConnOptions{HighWater: 1}) // nobody is there
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Say(foreign.Message{ID: foreign.PingID}); err != nil {
		t.Errorf("Say = %v, want nil", err)
	}
	if err := c.Say(foreign.Message{ID: foreign.PingID}); !errors.Is(err, foreignnet.ErrFull) {
		t.Errorf("Say on a full connection = %v, want %v", err, foreignnet.ErrFull)
	}
	if err := one.Stop(); err != nil { // GOODBYE, which pyre does not know
		t.Errorf("Stop() = %v, want nil", err)
	}
	if _, err := two.WaitEvent(ctx, 1, foreignnet.IsEvent(foreign.Exit, one.UUID())); err != nil {
		t.Error(err)
	}
}

func startAlone(t *testing.T, opts foreignnet.Options) *foreignnet.Peer {
	t.Helper()
	p, err := foreignnet.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestPeer_closed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := foreignnet.Start(ctx, foreignnet.Options{Kind: foreign.Gyre})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Announce(); err == nil {
		t.Error("Announce without a UDP port = nil, want an error")
	}
	cancel()
	if _, err := p.WaitEvent(t.Context(), 1, foreignnet.IsEvent(foreign.Enter, p.UUID())); !errors.Is(err, foreignnet.ErrClosed) {
		t.Errorf("WaitEvent of a closed peer = %v, want %v", err, foreignnet.ErrClosed)
	}
	for name, err := range map[string]error{"Close": p.Close(), "Stop": p.Stop()} {
		if err != nil {
			t.Errorf("%s of a closed peer = %v, want nil", name, err)
		}
	}
	for name, err := range map[string]error{
		"Join": p.Join("G"), "Whisper": p.Whisper(p.UUID()), "Freeze": p.Freeze(), "Goodbye": p.Goodbye(),
	} {
		if !errors.Is(err, foreignnet.ErrClosed) {
			t.Errorf("%s of a closed peer = %v, want %v", name, err, foreignnet.ErrClosed)
		}
	}
	if _, err := foreignnet.Start(t.Context(), foreignnet.Options{Kind: "jyre"}); err == nil {
		t.Error("Start(jyre) = nil, want an error")
	}
	if _, err := foreignnet.Start(t.Context(), foreignnet.Options{Host: "192.0.2.1"}); err == nil {
		t.Error("Start on an address that is not ours = nil, want an error")
	}
}
