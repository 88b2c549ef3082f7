package zyre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
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
		"Join long":  func() { z.Join(strings.Repeat("x", 256)) },
		"Name":       func() { _ = z.Name() },
		"UUID":       func() { _ = z.UUID() },
		"Peers":      func() { _ = z.Peers() },
		"SetHeader":  func() { z.SetHeader("a", "b") },
		"SetName":    func() { z.SetName("n") },
		"SetVerbose": func() { z.SetLogger(nil) },
		"Shout":      func() { z.Shout("g", nil) }, "Shouts": func() { z.Shouts("g", "100%") },
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
	}
}

func TestZyre_anyMethodAtAnyTime(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	z := NewZyre(ctx).SetInterface("lo").SetPort(port)
	check := func(when string) {
		t.Helper()
		for name, call := range everyMethod(z) {
			start := time.Now()
			call()
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("%s %s took %v", name, when, took)
			}
		}
	}
	z.Stop()
	check("before Start")
	if err := z.WhisperContext(ctx, "x"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("WhisperContext before Start = %v, want ErrNotRunning", err)
	}
	mustStart(t, z)
	if err := z.Start(); !errors.Is(err, ErrRunning) {
		t.Errorf("second Start = %v, want ErrRunning", err)
	}
	check("when running")
	if err := z.WhisperContext(ctx, strings.Repeat("0", 32)); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("WhisperContext to a stranger = %v, want ErrUnknownPeer", err)
	}
	if err := z.ShoutContext(ctx, "nobody"); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("ShoutContext to nobody = %v, want ErrUnknownGroup", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(z.Stop)
	}
	wg.Wait()
	z.Stop()
	check("after Stop")
	mustStart(t, z)
	cancel()
	for range z.Events() {
	}
	check("after cancel")
	if err := z.Start(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Start after cancel = %v, want ErrNotRunning", err)
	}
	if err := z.ShoutContext(context.Background(), "x"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("ShoutContext after cancel = %v, want ErrNotRunning", err)
	}
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
