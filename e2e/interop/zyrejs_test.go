//go:build unix

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// checkEntered waits for a peer, and fails the test unless it has a UUID and headers.
func checkEntered(t *testing.T, r *watch.Log, name, uuid string, headers map[string]string) {
	t.Helper()
	e := r.Wait(t, "ENTER "+name, 1)
	if e.PeerUUID != uuid || len(e.Headers) != len(headers) {
		t.Errorf("%s: ENTER of %s with %d headers, want %s with %d", r.Name, e.PeerUUID, len(e.Headers), uuid, len(headers))
	}
	for k, want := range headers {
		if v, ok := e.Header(k); v != want || !ok {
			t.Errorf("%s: Header(%s) = %q, %v, want %q, true", r.Name, k, v, ok, want)
		}
	}
}

func TestZyreJS_talk(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	headers := map[string]string{"X-Farbe": "grün ☃", "X-Empty": "", "X-Long": strings.Repeat("x", 300)}
	z := kit.NewNode(t, "Jürgen ☃", port)
	for k, v := range headers {
		z.SetHeader(k, "%s", v)
	}
	z.Join("früh")
	z.Join("both")
	r := watch.Start(t, z)
	js := startJS(t, zyrejs.Options{Name: "Жанна", BeaconPort: port, Headers: headers})

	checkEntered(t, r, "Жанна", js.UUID(), headers)
	checkEntered(t, js.Log, "Jürgen ☃", z.UUID(), headers)
	if got := z.PeerAddress(js.UUID()); got != js.Endpoint() {
		t.Errorf("PeerAddress(js) = %q, want %q", got, js.Endpoint())
	}
	peers, err := js.Peers(t.Context())
	if got, want := peers[z.UUID()].Endpoint, child.Endpoint(z); err != nil || got != want {
		t.Errorf("zyre.js: Peers() has us at %q, %v, want %q", got, err, want)
	}

	js.Wait(t, "JOIN Jürgen ☃ früh", 1)
	js.Wait(t, "JOIN Jürgen ☃ both", 1)
	must(t, "Join(both)", js.Join(t.Context(), "both"))
	must(t, "Join(später)", js.Join(t.Context(), "später"))
	r.Wait(t, "JOIN Жанна both", 1)
	r.Wait(t, "JOIN Жанна später", 1)
	z.Join("später")
	js.Wait(t, "JOIN Jürgen ☃ später", 1)
	z.Leave("früh")
	js.Wait(t, "LEAVE Jürgen ☃ früh", 1)

	exchange(t, z, r, js)

	must(t, "Leave(später)", js.Leave(t.Context(), "später"))
	r.Wait(t, "LEAVE Жанна später", 1)
	if got := fmt.Sprint(z.PeersByGroup("both"), z.PeersByGroup("später")); got != fmt.Sprintf("[%s] []", js.UUID()) {
		t.Errorf("PeersByGroup(both), (später) = %s", got)
	}
	r.CheckCount(t, "EXIT", 0)
	js.CheckCount(t, "EXIT", 0)

	begin, closed := time.Now(), make(chan error, 1)
	go func() { closed <- js.Close() }()
	r.Wait(t, "EXIT Жанна", 1)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("EXIT %v after zyre.js was told to stop, want < 1s", took)
	}
	must(t, "Close()", <-closed)
}

// exchange sends payloads of all kinds, both ways, to the peer and to group "both".
func exchange(t *testing.T, z *zyre.Zyre, r *watch.Log, js *jsNode) {
	t.Helper()
	payloads := [][]byte{
		[]byte("text"), []byte("grün ☃"), {}, {0}, {0xff, 0xfe, 0, 0x80}, []byte("\n\r\n"),
		bytes.Repeat([]byte{0xAA, 0xA1, 0, 0xff}, 1<<18),
	}
	for i, want := range payloads {
		z.Whisper(js.UUID(), want)
		z.Shout("both", want)
		must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), want))
		must(t, "Shout", js.Shout(t.Context(), "both", want))
		for _, to := range []*watch.Log{r, js.Log} {
			for _, kind := range []string{"WHISPER", "SHOUT"} {
				e := to.Wait(t, kind, i+1)
				if !bytes.Equal(e.Msg, want) {
					t.Errorf("%s: %s of %d bytes %.20q, want %d bytes %.20q", to.Name, kind,
						len(e.Msg), e.Msg, len(want), want)
				}
				if kind == "SHOUT" && e.Group != "both" {
					t.Errorf("%s: SHOUT to %q, want both", to.Name, e.Group)
				}
			}
		}
	}
	// Of several frames zyre.js delivers the first; the next message is whole.
	must(t, "WhisperContext", z.WhisperContext(t.Context(), js.UUID(), []byte("first"), []byte("second")))
	z.Whispers(js.UUID(), "after")
	js.Wait(t, "WHISPER Jürgen ☃ first", 1)
	js.Wait(t, "WHISPER Jürgen ☃ after", 1)
	js.CheckCount(t, "WHISPER", len(payloads)+2)
}

// Stop, and Start again with the same UUID, as zyre.js sees it.
func TestZyreJS_weRestart(t *testing.T) {
	z, _, js := pair(t, nil, zyrejs.Options{})
	const times = 3
	for i := 1; i <= times; i++ {
		z.Whispers(js.UUID(), "last words %d", i)
		begin := time.Now()
		z.Stop()
		js.Wait(t, "EXIT go", i)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("zyre.js saw EXIT %v after Stop began, want < 1s", took)
		}
		js.Wait(t, fmt.Sprintf("WHISPER go last words %d", i), 1)
		r := watch.Start(t, z)
		r.Wait(t, "ENTER js", 1)
		js.Wait(t, "ENTER go", i+1)
		must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), []byte("again")))
		r.Wait(t, "WHISPER js again", 1)
		r.CheckCount(t, "EXIT", 0)
	}
	js.CheckCount(t, "ENTER", times+1)
	// Copies of a goodbye beacon come from a node that zyre.js does not know by name.
	js.CheckCount(t, "EXIT go", times)
}

// zyre.js on the same TCP port again: once after it said goodbye, once killed.
func TestZyreJS_itRestarts(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z, r, js := pair(t, nil, zyrejs.Options{BeaconPort: port})
	var tcp int
	if _, err := fmt.Sscanf(js.Endpoint(), "tcp://127.0.0.1:%d", &tcp); err != nil {
		t.Fatal(err)
	}
	restart := func(name string) *jsNode {
		next := startJS(t, zyrejs.Options{Name: name, BeaconPort: port, Port: tcp})
		if next.Endpoint() != js.Endpoint() {
			t.Fatalf("zyre.js again at %s, want %s", next.Endpoint(), js.Endpoint())
		}
		begin := time.Now()
		r.Wait(t, "ENTER "+name, 1)
		next.Wait(t, "ENTER go", 1)
		t.Logf("%s entered both ways %v after it ran", name, time.Since(begin))
		z.Whispers(next.UUID(), "hello")
		next.Wait(t, "WHISPER go hello", 1)
		must(t, "Whisper", next.Whisper(t.Context(), z.UUID(), []byte("hello")))
		r.Wait(t, "WHISPER "+name+" hello", 1)
		return next
	}
	must(t, "Close()", js.Close())
	r.Wait(t, "EXIT js", 1)
	second := restart("second")
	must(t, "Kill()", second.Process().Kill())
	<-second.Done
	third := restart("third")
	r.Wait(t, "EXIT second", 1)
	for _, pattern := range []string{"ENTER js", "EXIT js", "ENTER second", "EXIT second", "ENTER third"} {
		r.CheckCount(t, pattern, 1)
	}
	r.CheckCount(t, "EXIT third", 0)
	third.CheckCount(t, "EXIT go", 0)
	if got := z.Peers(); len(got) != 1 || got[0] != third.UUID() {
		t.Errorf("Peers() = %v, want [%s]", got, third.UUID())
	}
}

// shortTimeouts makes a node give up a silent peer after 1.5 s.
func shortTimeouts(z *zyre.Zyre) {
	z.SetEvasiveTimeout(300 * time.Millisecond).SetSilentTimeout(600 * time.Millisecond).
		SetExpiredTimeout(1500 * time.Millisecond)
}

func TestZyreJS_killed(t *testing.T) {
	z, r, js := pair(t, shortTimeouts, zyrejs.Options{})
	must(t, "Kill()", js.Process().Kill())
	begin := time.Now()
	r.Wait(t, "EXIT js", 1)
	took := time.Since(begin)
	t.Logf("EXIT %v after SIGKILL", took)
	if took < time.Second || took > 4*time.Second {
		t.Errorf("EXIT %v after SIGKILL, want about 1.5s", took)
	}
	r.CheckCount(t, "EVASIVE js", 1)
	r.CheckCount(t, "SILENT js", 1)
	if got := z.Peers(); len(got) != 0 {
		t.Errorf("Peers() = %v, want none", got)
	}
}

// zyre.js frozen for longer than both sides' watch.Patience ends up connected.
func TestZyreJS_frozen(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z, r, js := pair(t, shortTimeouts, zyrejs.Options{
		BeaconPort: port, Evasive: 300 * time.Millisecond, Expired: 1500 * time.Millisecond,
	})
	signal := func(s syscall.Signal) { must(t, s.String(), js.Process().Signal(s)) }
	signal(syscall.SIGSTOP)
	defer func() { _ = js.Process().Signal(syscall.SIGCONT) }()
	r.Wait(t, "EXIT js", 1)
	expire(t, port, r) // nor will zyre.js have any patience left
	signal(syscall.SIGCONT)
	begin := time.Now()
	r.Wait(t, "ENTER js", 2)
	t.Logf("ENTER %v after SIGCONT", time.Since(begin))
	watch.Until(t, "a whisper each way", func() bool {
		z.Whispers(js.UUID(), "still here")
		_ = js.Whisper(t.Context(), z.UUID(), []byte("still here"))
		return js.Count("WHISPER go still here") > 0 && r.Count("WHISPER js still here") > 0
	})
	watch.Until(t, "zyre.js is here", func() bool { return r.Has("js") })
	exits, theirs := r.Count("EXIT js"), js.Count("EXIT")
	// One of each is right, and usual. But a zyre.js that drops us right after it has
	// entered says a HELLO that our node takes for the answer to its own, until maxVerifyTime has
	// passed: at beacons of 100 ms that is up to three rounds more.
	if exits > 10 || theirs > 10 {
		t.Errorf("EXIT %d, zyre.js EXIT %d, want 10 at most", exits, theirs)
	}
	t.Logf("EXIT: ours %d, zyre.js %d", exits, theirs)
}

// zyre.js counts joins and leaves modulo 255, we modulo 256; nobody minds.
func TestZyreJS_joinLeave(t *testing.T) {
	const cycles = 600
	z, r, js := pair(t, nil, zyrejs.Options{})
	for range cycles {
		z.Join("door")
		z.Leave("door")
		must(t, "Join", js.Join(t.Context(), "door"))
		must(t, "Leave", js.Leave(t.Context(), "door"))
	}
	z.Whispers(js.UUID(), "done")
	must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), []byte("done")))
	r.Wait(t, "WHISPER js done", 1)
	js.Wait(t, "WHISPER go done", 1)
	for _, side := range []struct {
		r     *watch.Log
		other string
	}{{r, "js"}, {js.Log, "go"}} {
		side.r.CheckCount(t, "JOIN "+side.other+" door", cycles)
		side.r.CheckCount(t, "LEAVE "+side.other+" door", cycles)
		side.r.CheckCount(t, "EXIT", 0)
		side.r.CheckCount(t, "ENTER", 1)
	}
	if got, want := z.Stats().Dropped.StatusMismatch, uint64(2*cycles/255); got != want {
		t.Errorf("Stats().Dropped.StatusMismatch = %d, want %d", got, want)
	}
}

// In a mixed group everybody hears everybody once.
func TestZyreJS_threeNodes(t *testing.T) {
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "a", port), kit.NewNode(t, "b", port)
	a.Join("hall")
	ra, rb := watch.Start(t, a), watch.Start(t, b)
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port})
	must(t, "Join(hall)", js.Join(t.Context(), "hall"))
	b.Join("hall")
	all := map[string]*watch.Log{"a": ra, "b": rb, "js": js.Log}
	for name := range all {
		for other, r := range all {
			if other != name {
				r.Wait(t, "JOIN "+name+" hall", 1)
			}
		}
	}
	a.Shouts("hall", "from a")
	b.Shouts("hall", "from b")
	must(t, "Shout", js.Shout(t.Context(), "hall", []byte("from js")))
	// A second round behind the first shows that nothing comes twice.
	a.Shouts("hall", "end a")
	b.Shouts("hall", "end b")
	must(t, "Shout", js.Shout(t.Context(), "hall", []byte("end js")))
	for name := range all {
		for other, r := range all {
			if other == name {
				r.CheckCount(t, "SHOUT "+name, 0)
				continue
			}
			r.Wait(t, "SHOUT "+name+" hall end "+name, 1)
			r.CheckCount(t, "SHOUT "+name+" hall from "+name, 1)
			r.CheckCount(t, "ENTER "+name, 1)
			r.CheckCount(t, "EXIT "+name, 0)
		}
	}
}

// To zyre.js a node that tells its view is one with a header more, and it is never asked.
func TestZyreJS_shareView(t *testing.T) {
	port := kit.FreeUDPPort(t)
	sharing, other := kit.NewNode(t, "sharing", port), kit.NewNode(t, "other", port)
	sharing.SetShareView(true)
	r, _ := watch.Start(t, sharing), watch.Start(t, other)
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port})
	checkEntered(t, js.Log, "sharing", sharing.UUID(), map[string]string{"X-ZYRE-VIEW": "1"})
	r.Wait(t, "ENTER other", 1)
	r.Wait(t, "ENTER js", 1)
	for _, z := range []*zyre.Zyre{sharing, other} {
		must(t, "WaitPeers", z.WaitPeers(t.Context(), "", 2))
		if _, err := z.PeerView(t.Context(), js.UUID()); !errors.Is(err, zyre.ErrNotShared) {
			t.Errorf("PeerView(zyre.js) = %v, want %v", err, zyre.ErrNotShared)
		}
	}
	v, err := other.PeerView(t.Context(), sharing.UUID())
	if err != nil || v.Peers != 2 || len(v.PeerList) != 2 {
		t.Errorf("PeerView = %+v, %v, want zyre.js and the other", v, err)
	}
	sharing.Whisper(js.UUID(), []byte("after"))
	if e := js.Wait(t, "WHISPER", 1); string(e.Msg) != "after" {
		t.Errorf("zyre.js got %q, want only what the application sent", e.Msg)
	}
	js.CheckCount(t, "EXIT", 0)
}
