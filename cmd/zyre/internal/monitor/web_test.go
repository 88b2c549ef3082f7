package monitor

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// get asks a handler, as a client that sends these headers.
func get(h http.Handler, method, path string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, nil)
	for name, value := range headers {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newTestHandler(host string) (*Stream, http.Handler) {
	n := newFakeNetwork(3, 1)
	n.step(time.Second)
	s := NewStream(n.model, func() time.Time { return n.now })
	return s, NewHandler(s, host)
}

// Only the page itself is answered, only what it asks for, and only to GET.
func TestWeb_requests(t *testing.T) {
	_, h := newTestHandler("zyre.example:8080")
	for _, c := range []struct {
		name, method, path string
		headers            map[string]string
		want               int
	}{
		{"the page", "GET", "/", nil, 200},
		{"its script", "GET", "/app.js", nil, 200},
		{"head", "HEAD", "/", nil, 200},
		{"the picture", "GET", "/state", nil, 200},
		{"a peer", "GET", "/peer/" + fakeUUID(1), nil, 200},
		{"a stranger", "GET", "/peer/nobody", nil, 404},
		{"another file", "GET", "/web.go", nil, 404},
		{"a directory above", "GET", "/..%2fweb.go", nil, 404},
		{"a directory", "GET", "/assets/", nil, 404},
		{"post", "POST", "/", nil, 405},
		{"post to the events", "POST", "/events", nil, 405},
		{"put", "PUT", "/peer/" + fakeUUID(1), nil, 405},
		{"delete", "DELETE", "/state", nil, 405},
		{"localhost", "GET", "/", map[string]string{"Host": "localhost:8080"}, 200},
		{"IPv6", "GET", "/", map[string]string{"Host": "[::1]:8080"}, 200},
		{"IPv6 without a port", "GET", "/", map[string]string{"Host": "[::1]"}, 200},
		{"another address of this host", "GET", "/", map[string]string{"Host": "192.168.1.7"}, 200},
		{"its name", "GET", "/", map[string]string{"Host": "ZYRE.example"}, 200},
		{"a name of somebody else", "GET", "/", map[string]string{"Host": "evil.example:8080"}, 421},
		{"a name like localhost", "GET", "/state", map[string]string{"Host": "localhost.evil.example"}, 421},
		{"a name like an address", "GET", "/state", map[string]string{"Host": "127.0.0.1.evil.example"}, 421},
		{"no host", "GET", "/", map[string]string{"Host": ""}, 421},
		{"its own fetch", "GET", "/state", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"typed by the user", "GET", "/", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"a link on another page", "GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"a fetch of another page", "GET", "/state", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403},
		{"a script of another page", "GET", "/app.js", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"the events to another page", "GET", "/events", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
	} {
		w := get(h, c.method, c.path, c.headers)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
		for name := range pageHeaders {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: no %s", c.name, name)
			}
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another origin may read it", c.name)
		}
	}
}

// Every file of the page is served, with its type, and fetches from nowhere else.
func TestWeb_files(t *testing.T) {
	_, h := newTestHandler("")
	files, err := assets.ReadDir("assets")
	if err != nil || len(files) != len(contentTypes) {
		t.Fatalf("%d files, %v, want %d", len(files), err, len(contentTypes))
	}
	for _, f := range files {
		w := get(h, "GET", "/"+f.Name(), nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != contentTypes[f.Name()] {
			t.Errorf("%s: status %d, type %q", f.Name(), w.Code, w.Header().Get("Content-Type"))
		}
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http:", "https:", "//cdn", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "<style", "onclick="} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", f.Name(), bad)
			}
		}
	}
}

func TestListenAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"8080", "127.0.0.1:8080"}, {":8080", "127.0.0.1:8080"}, {"0", "127.0.0.1:0"}, {"127.0.0.1:80", "127.0.0.1:80"},
		{"0.0.0.0:80", "0.0.0.0:80"}, {"[::1]:80", "[::1]:80"}, {"host:80", "host:80"},
		{"", ""}, {"host", ""}, {"host:http", ""}, {"1:2:3", ""}, {"99999", ""}, {":-1", ""},
	} {
		got, err := ListenAddress(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("ListenAddress(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// follower is a viewer of the events, over a connection.
type follower struct {
	t     *testing.T
	lines *bufio.Scanner
	body  io.Closer
}

func follow(t *testing.T, url, last string) *follower {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Body.Close() })
	if w.StatusCode != http.StatusOK {
		t.Fatalf("status %d, want 200", w.StatusCode)
	}
	lines := bufio.NewScanner(w.Body)
	lines.Buffer(nil, 10<<20)
	return &follower{t, lines, w.Body}
}

// next returns the data of the next event of a type.
func (f *follower) next(kind string) string {
	f.t.Helper()
	is := false
	for f.lines.Scan() {
		line := f.lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			is = name == kind
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && is {
			return data
		}
	}
	f.t.Fatalf("the stream has ended before %q: %v", kind, f.lines.Err())
	return ""
}

// entries returns the IDs of the next entries, and how many are missing before them.
func (f *follower) entries() (ids []uint64, missed uint64) {
	f.t.Helper()
	var news struct {
		Missed  uint64
		Entries []Entry
	}
	if err := json.Unmarshal([]byte(f.next("entries")), &news); err != nil {
		f.t.Fatal(err)
	}
	for _, e := range news.Entries {
		ids = append(ids, e.ID)
	}
	return ids, news.Missed
}

// A viewer gets the picture, then what happens; one that comes back gets what it has missed.
func TestWeb_events(t *testing.T) {
	n := newFakeNetwork(3, 0)
	s, url := servePage(t, n)
	shout := func(times int) {
		s.Event(func(m *Model, now time.Time) {
			for range times {
				m.Event(now, &zyre.Event{Type: "SHOUT", PeerUUID: n.peers[0].UUID, Group: "g", Msg: []byte("x"), Frames: [][]byte{[]byte("x")}})
			}
		})
	}
	first := follow(t, url, "")
	var state State
	if err := json.Unmarshal([]byte(first.next("state")), &state); err != nil || len(state.Nodes) != 4 {
		t.Fatalf("first picture: %d nodes, %v, want 4", len(state.Nodes), err)
	}
	ids, _ := first.entries()
	last := ids[len(ids)-1]
	shout(1)
	if ids, _ = first.entries(); len(ids) != 1 || ids[0] != last+1 {
		t.Errorf("entries %v, want %d", ids, last+1)
	}
	shout(maxEntries + 50)
	again := follow(t, url, "10")
	ids, missed := again.entries()
	if want := last + 1 + maxEntries + 50 - maxEntries - 10; missed != want || ids[0] != 10+missed+1 || len(ids) != pushEntries {
		t.Errorf("after 10: %d entries from %d on, %d missed, want %d from %d on, %d missed", len(ids), ids[0], missed, pushEntries, 11+want, want)
	}
	s.Sample(func(*Model, time.Time) {})
	_ = first.next("state")
	s.End()
	_ = first.next("end")
	_ = again.next("end")
}

// Viewers beyond the limit are refused, and one that leaves makes room.
func TestWeb_viewers(t *testing.T) {
	_, url := servePage(t, newFakeNetwork(1, 0))
	var all []*follower
	for range maxViewers {
		f := follow(t, url, "")
		_ = f.next("state")
		all = append(all, f)
	}
	status := func() int {
		w, err := http.Get(url + "events") //nolint:noctx // it is refused at once, or closed below
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Body.Close()
		return w.StatusCode
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("one more viewer: status %d, want %d", got, http.StatusServiceUnavailable)
	}
	_ = all[0].body.Close()
	deadline := time.Now().Add(browserPatience)
	for status() != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("a viewer that has left makes no room")
		}
	}
}

// A viewer that does not read is let go, and holds up nobody.
func TestWeb_slowViewer(t *testing.T) {
	n := newFakeNetwork(50, 1)
	s := NewStream(n.model, func() time.Time { return n.now })
	s.Sample(func(*Model, time.Time) {})
	ours, theirs := net.Pipe() // which holds nothing
	defer ours.Close()
	v := &viewer{w: discardResponse{theirs}, out: http.NewResponseController(discardResponse{theirs}), stream: s}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.follow(ctx)
	}()
	if _, err := ours.Read(make([]byte, 1)); err != nil { // it writes, and nobody takes the rest
		t.Fatal(err)
	}
	for range 1000 { // nothing of this waits for the viewer
		s.Sample(func(m *Model, now time.Time) {
			m.Event(now, &zyre.Event{Type: "JOIN", PeerUUID: n.peers[0].UUID, Group: "g"})
		})
	}
	_ = theirs.SetWriteDeadline(time.Now()) // as after the time for a write
	cancel()
	<-done
}

// discardResponse writes to a connection.
type discardResponse struct{ net.Conn }

func (d discardResponse) Header() http.Header         { return http.Header{} }
func (d discardResponse) WriteHeader(int)             {}
func (d discardResponse) Write(b []byte) (int, error) { return d.Conn.Write(b) }
func (d discardResponse) FlushError() error           { return nil }

// Serve ends with its context, with viewers or without.
func TestServe_ends(t *testing.T) {
	n := newFakeNetwork(1, 0)
	s := NewStream(n.model, func() time.Time { return n.now })
	s.Sample(func(*Model, time.Time) {})
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	if !IsLoopback(l.Addr()) {
		t.Errorf("IsLoopback(%v) = false", l.Addr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, s, l.Addr().String()) }()
	f := follow(t, "http://"+l.Addr().String()+"/", "")
	_ = f.next("state")
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}
