//go:build unix

package interop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// next waits for an event of a kind, skipping others.
func next(t *testing.T, p *zyrejs.Peer, kind string) zyrejs.Event {
	t.Helper()
	timer := time.NewTimer(watch.Patience)
	defer timer.Stop()
	for {
		select {
		case e, ok := <-p.Events():
			if !ok {
				t.Fatalf("Events() ended, want %q", kind)
			}
			if e.Kind == kind {
				return e
			}
		case <-timer.C:
			t.Fatalf("Events() gave no %q in %v", kind, watch.Patience)
		}
	}
}

func TestPeer_talk(t *testing.T) {
	ctx, port := t.Context(), kit.FreeUDPPort(t)
	a := runZyreJS(t, zyrejs.Options{
		Name: "alice", BeaconPort: port,
		Headers: map[string]string{"X-Colour": "red"},
	})
	b := runZyreJS(t, zyrejs.Options{Name: "bob", BeaconPort: port})

	if e := next(t, a, "connect"); e.ID != b.UUID() || e.Name != "bob" {
		t.Fatalf("connect = %+v, want bob %s", e, b.UUID())
	}
	if e := next(t, b, "connect"); e.ID != a.UUID() || e.Headers["X-Colour"] != "red" {
		t.Fatalf("connect = %+v, want alice %s with X-Colour red", e, a.UUID())
	}
	for _, p := range []*zyrejs.Peer{a, b} {
		if err := p.Join(ctx, "chat"); err != nil {
			t.Fatalf("Join(chat) = %v, want nil", err)
		}
	}
	if e := next(t, a, "join"); e.Group != "chat" || e.Name != "bob" {
		t.Fatalf("join = %+v, want bob in chat", e)
	}
	peers, err := a.Peers(ctx)
	if err != nil || len(peers[b.UUID()].Groups) != 1 {
		t.Fatalf("Peers() = %v, %v, want bob in one group", peers, err)
	}

	if err := a.Shout(ctx, "chat", []byte("hi")); err != nil {
		t.Fatalf("Shout(chat) = %v, want nil", err)
	}
	if e := next(t, b, "shout"); e.Group != "chat" || string(e.Message) != "hi" {
		t.Fatalf("shout = %+v, want hi in chat", e)
	}
	const bytes = "\x00\xff\xfe"
	if err := a.Whisper(ctx, b.UUID(), []byte(bytes)); err != nil {
		t.Fatalf("Whisper(bob) = %v, want nil", err)
	}
	if e := next(t, b, "whisper"); e.ID != a.UUID() || string(e.Message) != bytes {
		t.Fatalf("whisper = %+v, want %q", e, bytes)
	}

	if err := a.Leave(ctx, "chat"); err != nil {
		t.Fatalf("Leave(chat) = %v, want nil", err)
	}
	if e := next(t, b, "leave"); e.Group != "chat" {
		t.Fatalf("leave = %+v, want chat", e)
	}
	if err := a.Close(); err != nil {
		t.Fatalf("Close() = %v, want nil", err)
	}
	if e := next(t, b, "disconnect"); e.ID != a.UUID() {
		t.Fatalf("disconnect = %+v, want %s", e, a.UUID())
	}
}

// A flood arrives whole and in order though nobody reads while it is sent.
func TestPeer_flood(t *testing.T) {
	const count = 5000
	ctx, port := t.Context(), kit.FreeUDPPort(t)
	a := runZyreJS(t, zyrejs.Options{Name: "alice", BeaconPort: port})
	b := runZyreJS(t, zyrejs.Options{Name: "bob", BeaconPort: port})
	next(t, a, "connect")
	if err := a.Whispers(ctx, b.UUID(), []byte("n"), count); err != nil {
		t.Fatalf("Whispers(%d) = %v, want nil", count, err)
	}
	for i := range count {
		want := fmt.Sprintf("n %d", i)
		if e := next(t, b, "whisper"); string(e.Message) != want {
			t.Fatalf("whisper %d = %q, want %q", i, e.Message, want)
		}
	}
}

func TestPeer_errors(t *testing.T) {
	ctx := t.Context()
	if _, err := zyrejs.Start(ctx, zyrejs.Options{}); err == nil {
		t.Error("Start(no beacon port) = nil, want an error")
	}
	p := runZyreJS(t, zyrejs.Options{Name: "alone", BeaconPort: kit.FreeUDPPort(t)})
	if err := p.Whisper(ctx, "00", nil); err == nil {
		t.Error("Whisper(unknown peer) = nil, want an error")
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if err := p.Join(ctx, "chat"); err == nil {
		t.Error("Join(chat) after Close = nil, want an error")
	}
	if _, ok := <-p.Events(); ok {
		t.Error("Events() after Close gave an event, want it closed")
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close() again = %v, want nil", err)
	}
}

// Cancelling the context is a polite stop: the peers hear a goodbye at once.
func TestStart_cancel(t *testing.T) {
	port := kit.FreeUDPPort(t)
	b := runZyreJS(t, zyrejs.Options{Name: "bob", BeaconPort: port})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := zyrejs.Start(ctx, zyrejs.Options{Name: "alice", BeaconPort: port})
	if err != nil {
		t.Fatalf("Start(alice) = %v, want nil", err)
	}
	next(t, b, "connect")
	cancel()
	if e := next(t, b, "disconnect"); e.ID != a.UUID() {
		t.Fatalf("disconnect = %+v, want %s", e, a.UUID())
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}

// A node whose process is killed answers its commands with ErrEnded.
func TestPeer_killed(t *testing.T) {
	p := runZyreJS(t, zyrejs.Options{Name: "victim", BeaconPort: kit.FreeUDPPort(t)})
	if err := p.Process().Kill(); err != nil {
		t.Fatalf("Kill() = %v, want nil", err)
	}
	for range p.Events() { // until the process is gone
	}
	if err := p.Join(t.Context(), "chat"); err == nil {
		t.Error("Join(chat) to a killed node = nil, want an error")
	}
	if err := p.Close(); err == nil {
		t.Error("Close() of a killed node = nil, want its exit error")
	}
}
