package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// jsNode is a zyre.js node and what it reported, in our words.
type jsNode struct {
	*zyrejs.Peer
	*recorder
}

// startJS starts a zyre.js node on the loopback interface. Without Node the test is
// skipped, but not in CI: there it is installed.
func startJS(t *testing.T, o zyrejs.Options) *jsNode {
	t.Helper()
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	p, err := zyrejs.Start(t.Context(), o)
	if errors.Is(err, zyrejs.ErrUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("Start(zyre.js %q) = %v, want nil", o.Name, err)
	}
	t.Cleanup(func() { // by force: after some tests its polite stop hangs
		_ = p.Process().Kill()
		_ = p.Close()
	})
	r := &recorder{name: o.Name, news: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for e := range p.Events() {
			r.add(fromJS(e))
		}
	}()
	return &jsNode{p, r}
}

// add takes note of an event.
func (r *recorder) add(e *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
	close(r.news)
	r.news = make(chan struct{})
}

// fromJS translates an event of zyre.js. Its "expired" comes before "disconnect" and
// stays lower case.
func fromJS(e zyrejs.Event) *Event {
	kind := map[string]string{
		"connect": eventEnter, "disconnect": eventExit, "join": eventJoin, "leave": eventLeave,
		"whisper": eventWhisper, "shout": eventShout,
	}[e.Kind]
	if kind == "" {
		kind = e.Kind
	}
	return &Event{
		Type: kind, PeerUUID: e.ID, PeerName: e.Name, Group: e.Group, Msg: e.Message, Headers: e.Headers,
	}
}

// must fails the test for an error of a command to a zyre.js node.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}

// pair starts one node of each kind, which have entered when it returns.
func pair(t *testing.T, set func(z *Zyre), o zyrejs.Options) (*Zyre, *recorder, *jsNode) {
	t.Helper()
	o.BeaconPort, o.Name = freeUDPPort(t), "js"
	z := newLoopbackNode(t, "go", o.BeaconPort)
	if set != nil {
		set(z)
	}
	mustStart(t, z)
	r := record(z)
	js := startJS(t, o)
	r.wait(t, "ENTER js", 1)
	js.wait(t, "ENTER go", 1)
	return z, r, js
}

func checkCount(t *testing.T, r *recorder, pattern string, want int) {
	t.Helper()
	if got := r.count(pattern); got != want {
		t.Errorf("%s saw %q %d times, want %d; it saw:\n%s", r.name, pattern, got, want, r)
	}
}

func TestZyreJS_talk(t *testing.T) {
	port := freeUDPPort(t) // first: Go's network poller is no leak
	checkLeaks(t)
	headers := map[string]string{"X-Farbe": "grün ☃", "X-Empty": "", "X-Long": strings.Repeat("x", 300)}
	z := newLoopbackNode(t, "Jürgen ☃", port)
	for k, v := range headers {
		z.SetHeader(k, "%s", v)
	}
	z.Join("früh")
	z.Join("both")
	mustStart(t, z)
	r := record(z)
	js := startJS(t, zyrejs.Options{Name: "Жанна", BeaconPort: port, Headers: headers})

	for _, side := range []struct {
		r           *recorder
		name, other string
	}{{r, "Жанна", js.UUID()}, {js.recorder, "Jürgen ☃", z.UUID()}} {
		e := side.r.wait(t, "ENTER "+side.name, 1)
		if e.PeerUUID != side.other || len(e.Headers) != len(headers) {
			t.Errorf("%s: ENTER of %s with %d headers, want %s with %d", side.r.name, e.PeerUUID,
				len(e.Headers), side.other, len(headers))
		}
		for k, want := range headers {
			if v, ok := e.Header(k); v != want || !ok {
				t.Errorf("%s: Header(%s) = %q, %v, want %q, true", side.r.name, k, v, ok, want)
			}
		}
	}
	if got := z.PeerAddress(js.UUID()); got != js.Endpoint() {
		t.Errorf("PeerAddress(js) = %q, want %q", got, js.Endpoint())
	}
	peers, err := js.Peers(t.Context())
	if got, want := peers[z.UUID()].Endpoint, firstEndpoint(z); err != nil || got != want {
		t.Errorf("zyre.js: Peers() has us at %q, %v, want %q", got, err, want)
	}

	js.wait(t, "JOIN Jürgen ☃ früh", 1)
	js.wait(t, "JOIN Jürgen ☃ both", 1)
	must(t, "Join(both)", js.Join(t.Context(), "both"))
	must(t, "Join(später)", js.Join(t.Context(), "später"))
	r.wait(t, "JOIN Жанна both", 1)
	r.wait(t, "JOIN Жанна später", 1)
	z.Join("später")
	js.wait(t, "JOIN Jürgen ☃ später", 1)
	z.Leave("früh")
	js.wait(t, "LEAVE Jürgen ☃ früh", 1)

	exchange(t, z, r, js)

	must(t, "Leave(später)", js.Leave(t.Context(), "später"))
	r.wait(t, "LEAVE Жанна später", 1)
	if got := fmt.Sprint(z.PeersByGroup("both"), z.PeersByGroup("später")); got != fmt.Sprintf("[%s] []", js.UUID()) {
		t.Errorf("PeersByGroup(both), (später) = %s", got)
	}
	checkCount(t, r, "EXIT", 0)
	checkCount(t, js.recorder, "EXIT", 0)

	begin, closed := time.Now(), make(chan error, 1)
	go func() { closed <- js.Close() }()
	r.wait(t, "EXIT Жанна", 1)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("EXIT %v after zyre.js was told to stop, want < 1s", took)
	}
	must(t, "Close()", <-closed)
}

// exchange sends payloads of all kinds, both ways, to the peer and to group "both".
func exchange(t *testing.T, z *Zyre, r *recorder, js *jsNode) {
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
		for _, to := range []*recorder{r, js.recorder} {
			for _, kind := range []string{eventWhisper, eventShout} {
				e := to.wait(t, kind, i+1)
				if !bytes.Equal(e.Msg, want) {
					t.Errorf("%s: %s of %d bytes %.20q, want %d bytes %.20q", to.name, kind,
						len(e.Msg), e.Msg, len(want), want)
				}
				if kind == eventShout && e.Group != "both" {
					t.Errorf("%s: SHOUT to %q, want both", to.name, e.Group)
				}
			}
		}
	}
	// Of several frames zyre.js delivers the first; the next message is whole.
	must(t, "WhisperContext", z.WhisperContext(t.Context(), js.UUID(), []byte("first"), []byte("second")))
	z.Whispers(js.UUID(), "after")
	js.wait(t, "WHISPER Jürgen ☃ first", 1)
	js.wait(t, "WHISPER Jürgen ☃ after", 1)
	checkCount(t, js.recorder, "WHISPER", len(payloads)+2)
}

// Stop, and Start again with the same UUID, as zyre.js sees it.
func TestZyreJS_weRestart(t *testing.T) {
	z, _, js := pair(t, nil, zyrejs.Options{})
	const times = 3
	for i := 1; i <= times; i++ {
		z.Whispers(js.UUID(), "last words %d", i)
		begin := time.Now()
		z.Stop()
		js.wait(t, "EXIT go", i)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("zyre.js saw EXIT %v after Stop began, want < 1s", took)
		}
		js.wait(t, fmt.Sprintf("WHISPER go last words %d", i), 1)
		mustStart(t, z)
		r := record(z)
		r.wait(t, "ENTER js", 1)
		js.wait(t, "ENTER go", i+1)
		must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), []byte("again")))
		r.wait(t, "WHISPER js again", 1)
		checkCount(t, r, "EXIT", 0)
	}
	checkCount(t, js.recorder, "ENTER", times+1)
	// Copies of a goodbye beacon come from a node that zyre.js does not know by name.
	checkCount(t, js.recorder, "EXIT go", times)
}

// zyre.js on the same TCP port again: once after it said goodbye, once killed.
func TestZyreJS_itRestarts(t *testing.T) {
	z, r, js := pair(t, nil, zyrejs.Options{})
	port := z.cfg.port
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
		r.wait(t, "ENTER "+name, 1)
		next.wait(t, "ENTER go", 1)
		t.Logf("%s entered both ways %v after it ran", name, time.Since(begin))
		z.Whispers(next.UUID(), "hello")
		next.wait(t, "WHISPER go hello", 1)
		must(t, "Whisper", next.Whisper(t.Context(), z.UUID(), []byte("hello")))
		r.wait(t, "WHISPER "+name+" hello", 1)
		return next
	}
	must(t, "Close()", js.Close())
	r.wait(t, "EXIT js", 1)
	second := restart("second")
	must(t, "Kill()", second.Process().Kill())
	<-second.done
	third := restart("third")
	r.wait(t, "EXIT second", 1)
	for _, pattern := range []string{"ENTER js", "EXIT js", "ENTER second", "EXIT second", "ENTER third"} {
		checkCount(t, r, pattern, 1)
	}
	checkCount(t, r, "EXIT third", 0)
	checkCount(t, third.recorder, "EXIT go", 0)
	if got := z.Peers(); len(got) != 1 || got[0] != third.UUID() {
		t.Errorf("Peers() = %v, want [%s]", got, third.UUID())
	}
}

// shortTimeouts makes a node give up a silent peer after 1.5 s.
func shortTimeouts(z *Zyre) {
	z.SetEvasiveTimeout(300 * time.Millisecond).SetSilentTimeout(600 * time.Millisecond).
		SetExpiredTimeout(1500 * time.Millisecond)
}

func TestZyreJS_killed(t *testing.T) {
	z, r, js := pair(t, shortTimeouts, zyrejs.Options{})
	must(t, "Kill()", js.Process().Kill())
	begin := time.Now()
	r.wait(t, "EXIT js", 1)
	took := time.Since(begin)
	t.Logf("EXIT %v after SIGKILL", took)
	if took < time.Second || took > 4*time.Second {
		t.Errorf("EXIT %v after SIGKILL, want about 1.5s", took)
	}
	checkCount(t, r, "EVASIVE js", 1)
	checkCount(t, r, "SILENT js", 1)
	if got := z.Peers(); len(got) != 0 {
		t.Errorf("Peers() = %v, want none", got)
	}
}

// zyre.js frozen for longer than both sides' patience ends up connected.
func TestZyreJS_frozen(t *testing.T) {
	z, r, js := pair(t, shortTimeouts, zyrejs.Options{Evasive: 300 * time.Millisecond, Expired: 1500 * time.Millisecond})
	signal := func(s syscall.Signal) { must(t, s.String(), js.Process().Signal(s)) }
	signal(syscall.SIGSTOP)
	defer func() { _ = js.Process().Signal(syscall.SIGCONT) }()
	r.wait(t, "EXIT js", 1)
	begin := time.Now()
	for time.Since(begin) < time.Second { // both kinds of events would come in a storm now
		pause(100 * time.Millisecond)
	}
	signal(syscall.SIGCONT)
	begin = time.Now()
	r.wait(t, "ENTER js", 2)
	t.Logf("ENTER %v after SIGCONT", time.Since(begin))
	eventually(t, "a whisper each way", func() bool {
		z.Whispers(js.UUID(), "still here")
		_ = js.Whisper(t.Context(), z.UUID(), []byte("still here"))
		return js.count("WHISPER go still here") > 0 && r.count("WHISPER js still here") > 0
	})
	eventually(t, "zyre.js is here", func() bool { return r.count("ENTER") == r.count("EXIT")+1 })
	exits, theirs := r.count("EXIT"), js.count("EXIT")
	// One of each is right, and usual. But a zyre.js that drops us right after it has
	// entered says a HELLO that anew takes for the answer to ours, until verifyTime has
	// passed: at beacons of 100 ms that is up to three rounds more.
	if exits > 10 || theirs > 10 {
		t.Errorf("EXIT %d, zyre.js EXIT %d, want 10 at most", exits, theirs)
	}
	t.Logf("EXIT: ours %d, zyre.js %d", exits, theirs)
}

// A loss on the way from zyre.js is seen, and healed both ways. It drops us at our HELLO,
// and does not know us any more when it says its own.
func TestZyreJS_gap(t *testing.T) {
	z, r, js := pair(t, nil, zyrejs.Options{})
	ask(z, func(n *node, _ time.Time) int {
		for _, p := range n.peers {
			p.want++
		}
		return 0
	})
	must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), []byte("seems lost")))
	r.wait(t, "EXIT js", 1)
	begin := time.Now()
	js.wait(t, "ENTER go", 2)
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("healed after %v, want about 1s", took)
	}
	z.Whispers(js.UUID(), "here again")
	must(t, "Whisper", js.Whisper(t.Context(), z.UUID(), []byte("here again")))
	js.wait(t, "WHISPER go here again", 1)
	r.wait(t, "WHISPER js here again", 1)
	checkCount(t, r, "EVASIVE", 0)
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
	r.wait(t, "WHISPER js done", 1)
	js.wait(t, "WHISPER go done", 1)
	for _, side := range []struct {
		r     *recorder
		other string
	}{{r, "js"}, {js.recorder, "go"}} {
		checkCount(t, side.r, "JOIN "+side.other+" door", cycles)
		checkCount(t, side.r, "LEAVE "+side.other+" door", cycles)
		checkCount(t, side.r, "EXIT", 0)
		checkCount(t, side.r, "ENTER", 1)
	}
	if got, want := z.Stats().Dropped.StatusMismatch, uint64(2*cycles/255); got != want {
		t.Errorf("Stats().Dropped.StatusMismatch = %d, want %d", got, want)
	}
}

// In a mixed group everybody hears everybody once.
func TestZyreJS_threeNodes(t *testing.T) {
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "a", port), newLoopbackNode(t, "b", port)
	a.Join("hall")
	mustStart(t, a)
	mustStart(t, b)
	js := startJS(t, zyrejs.Options{Name: "js", BeaconPort: port})
	must(t, "Join(hall)", js.Join(t.Context(), "hall"))
	b.Join("hall")
	all := map[string]*recorder{"a": record(a), "b": record(b), "js": js.recorder}
	for name := range all {
		for other, r := range all {
			if other != name {
				r.wait(t, "JOIN "+name+" hall", 1)
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
				checkCount(t, r, "SHOUT "+name, 0)
				continue
			}
			r.wait(t, "SHOUT "+name+" hall end "+name, 1)
			checkCount(t, r, "SHOUT "+name+" hall from "+name, 1)
			checkCount(t, r, "ENTER "+name, 1)
			checkCount(t, r, "EXIT "+name, 0)
		}
	}
}
