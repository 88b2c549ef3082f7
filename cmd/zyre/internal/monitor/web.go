package monitor

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of the page's server.
const (
	maxViewers    = 32               // that follow at the same time; further ones are refused
	maxConns      = 128              // connections at the same time
	writeTimeout  = 10 * time.Second // for one write to a viewer: a slower one is let go
	headerTimeout = 5 * time.Second
	maxHeaderSize = 16 << 10
	pushInterval  = 250 * time.Millisecond // between two writes to a viewer
	pushEntries   = 200                    // in one write
	firstEntries  = 300                    // that a new viewer is shown
	keepAlive     = 15 * time.Second
)

//go:embed assets
var assets embed.FS

// contentTypes are the files of the page, and nothing else is served.
var contentTypes = map[string]string{
	"index.html": "text/html; charset=utf-8",
	"style.css":  "text/css; charset=utf-8",
	"icon.svg":   "image/svg+xml",
	"app.js":     "text/javascript; charset=utf-8",
	"graph.js":   "text/javascript; charset=utf-8",
	"layout.js":  "text/javascript; charset=utf-8",
	"panels.js":  "text/javascript; charset=utf-8",
	"format.js":  "text/javascript; charset=utf-8",
	"groups.js":  "text/javascript; charset=utf-8",
}

// pageHeaders are sent with every answer. The page runs its own scripts alone, fetches from
// here alone, and cannot be framed.
var pageHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), microphone=(), geolocation=()",
	"Cache-Control":                "no-store",
}

// ListenAddress completes the address that the page is to be served at: a port alone, or
// without a host, is on loopback.
func ListenAddress(address string) (string, error) {
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("address of the page %q: must be PORT or HOST:PORT, such as 127.0.0.1:8080", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("address of the page %q: the port must be 0 to 65535", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// IsLoopback reports whether only this host can reach an address.
func IsLoopback(address net.Addr) bool {
	a, ok := address.(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// server serves the page of one stream.
type server struct {
	stream  *Stream
	host    string // under which it was asked to serve, without the port
	viewers chan struct{}
}

// NewHandler returns the handler of the page. Host is where it serves, as it was given to
// ListenAddress or returned by it.
func NewHandler(s *Stream, host string) http.Handler {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	srv := &server{stream: s, host: host, viewers: make(chan struct{}, maxViewers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { serveFile(w, "index.html") })
	mux.HandleFunc("GET /{file}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r.PathValue("file")) })
	mux.HandleFunc("GET /events", srv.events)
	mux.HandleFunc("GET /state", srv.state)
	mux.HandleFunc("GET /peer/{uuid}", srv.peer)
	return srv.guard(mux)
}

// Serve serves the page until ctx ends.
func Serve(ctx context.Context, l net.Listener, s *Stream, host string) error {
	httpServer := &http.Server{
		Handler: NewHandler(s, host), ReadHeaderTimeout: headerTimeout, IdleTimeout: time.Minute,
		MaxHeaderBytes: maxHeaderSize, WriteTimeout: writeTimeout, // events go on beyond it
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = httpServer.Close() })
	defer stop()
	err := httpServer.Serve(newLimitedListener(l, maxConns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// guard refuses what no page of this server asks for, before anything else looks at it.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range pageHeaders {
			w.Header().Set(name, value)
		}
		switch {
		case !s.isOurHost(r.Host):
			http.Error(w, "unknown host: open the page by its address", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET: nothing can be changed from here", http.StatusMethodNotAllowed)
		case !isOwnPage(r):
			http.Error(w, "only for the page itself", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isOurHost reports whether the Host of a request names this server. A page of a stranger
// whose name resolves to this address (DNS rebinding) comes with its own name; an address,
// or "localhost", no stranger can have.
func (s *server) isOurHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return strings.EqualFold(host, "localhost") || strings.EqualFold(host, s.host)
}

// isOwnPage reports whether a request was not made by a page of another origin. Browsers
// say so; other programs say nothing, and may ask. A link to the page may be followed.
func isOwnPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

func serveFile(w http.ResponseWriter, name string) {
	kind, known := contentTypes[name]
	content, err := assets.ReadFile("assets/" + name)
	if !known || err != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(content)
}

func writeJSON(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

func (s *server) state(w http.ResponseWriter, _ *http.Request) {
	b, _, err := s.stream.JSON()
	if err != nil {
		http.Error(w, "cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	writeJSON(w, b)
}

func (s *server) peer(w http.ResponseWriter, r *http.Request) {
	detail, ok := s.stream.Detail(r.PathValue("uuid"))
	if !ok {
		http.Error(w, "no such peer", http.StatusNotFound)
		return
	}
	b, err := json.Marshal(detail)
	if err != nil {
		http.Error(w, "cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	writeJSON(w, b)
}

// events streams the picture and the time line to a viewer, as server-sent events. A viewer
// that comes back says which entry it has seen last.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.viewers <- struct{}{}:
		defer func() { <-s.viewers }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	v := &viewer{w: w, out: http.NewResponseController(w), stream: s.stream}
	v.seen = s.stream.LastEntry()
	v.seen -= min(v.seen, firstEntries)
	if id, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		v.seen = id
	}
	v.follow(r.Context())
}

// viewer is one that follows the stream. It holds nothing but the place that it has
// reached, and misses what is kept no longer when it gets on.
type viewer struct {
	w       http.ResponseWriter
	out     *http.ResponseController
	stream  *Stream
	seen    uint64 // the last entry
	version uint64 // of the picture; 0 is none
}

func (v *viewer) follow(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		news, err := v.push()
		if err != nil || news.IsEnd {
			return
		}
		pause.Reset(pushInterval)
		if len(news.Entries) == pushEntries {
			continue // there is more
		}
		select {
		case <-ctx.Done():
			return
		case <-news.Changed:
		case <-idle.C:
			if v.write(": still here\n\n") != nil {
				return
			}
		}
	}
}

// push writes what the viewer has not seen.
func (v *viewer) push() (News, error) {
	news := v.stream.Since(v.seen, pushEntries)
	if news.Version != v.version {
		state, version, err := v.stream.JSON()
		if err != nil {
			return news, err
		}
		if err := v.write("event: state\ndata: " + string(state) + "\n\n"); err != nil {
			return news, err
		}
		v.version = version
	}
	if len(news.Entries) > 0 || news.Missed > 0 {
		b, err := json.Marshal(struct {
			Missed  uint64  `json:"missed"`
			Entries []Entry `json:"entries"`
		}{news.Missed, news.Entries})
		if err != nil {
			return news, err
		}
		if n := len(news.Entries); n > 0 {
			v.seen = news.Entries[n-1].ID
		}
		if err := v.write(fmt.Sprintf("id: %d\nevent: entries\ndata: %s\n\n", v.seen, b)); err != nil {
			return news, err
		}
	}
	if news.IsEnd {
		return news, v.write("event: end\ndata: {}\n\n")
	}
	return news, nil
}

// write writes to the viewer at once, or gives up.
func (v *viewer) write(s string) error {
	if err := v.out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := v.w.Write([]byte(s)); err != nil {
		return err
	}
	return v.out.Flush()
}

// limitedListener accepts a number of connections at the same time; further ones wait.
type limitedListener struct {
	net.Listener
	free chan struct{}
}

func newLimitedListener(l net.Listener, limit int) net.Listener {
	return &limitedListener{l, make(chan struct{}, limit)}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, free: l.free}, nil
}

type limitedConn struct {
	net.Conn
	once sync.Once
	free chan struct{}
}

func (c *limitedConn) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
