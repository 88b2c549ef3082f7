//go:build unix

package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// transcript is what the application of a subject saw, by peer.
type transcript struct {
	mu   sync.Mutex
	seen map[string][]string // by UUID
	news chan struct{}       // closed at the next line
}

func (r *transcript) add(uuid, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[uuid] = append(r.seen[uuid], strings.TrimSpace(line))
	close(r.news)
	r.news = make(chan struct{})
}

// of returns what was seen of a peer, once that is as many lines as wanted or ctx is
// done.
func (r *transcript) of(ctx context.Context, uuid string, lines int) []string {
	for {
		r.mu.Lock()
		seen, news := slices.Clone(r.seen[uuid]), r.news
		r.mu.Unlock()
		if len(seen) >= lines {
			return seen
		}
		select {
		case <-news:
		case <-ctx.Done():
			return seen
		}
	}
}

// subject is a zyre.js that is in the group "in", a real one or the model.
type subject struct {
	uuid     [16]byte
	endpoint string
	*transcript
}

func startModel(ctx context.Context, t *testing.T, port int) subject {
	p, err := foreignnet.Start(ctx, foreignnet.Options{
		Kind: foreign.ZyreJS, Name: "subject", UDPPort: port, Groups: []string{"in"}, Quiet: true,
	})
	must(t, "Start(model)", err)
	s := subject{p.UUID(), p.Endpoint(), &transcript{seen: map[string][]string{}, news: make(chan struct{})}}
	go func() { // ends with the peer, which ends with ctx
		for nth := 1; ; nth++ {
			e, err := p.WaitEvent(ctx, nth, func(foreign.Event) bool { return true })
			if err != nil {
				return
			}
			s.add(foreign.UUIDText(e.Peer), strings.Join([]string{e.Type, e.Group + string(slices.Concat(e.Content...))}, " "))
		}
	}()
	t.Cleanup(func() { _ = p.Close() })
	return s
}

func startReal(ctx context.Context, t *testing.T, port int) subject {
	p := runZyreJS(t, zyrejs.Options{Name: "subject", BeaconPort: port, Interval: time.Hour})
	must(t, "Join(in)", p.Join(ctx, "in"))
	uuid, err := foreign.ParseUUID(p.UUID())
	must(t, "ParseUUID("+p.UUID()+")", err)
	s := subject{uuid, p.Endpoint(), &transcript{seen: map[string][]string{}, news: make(chan struct{})}}
	words := map[string]string{
		"connect": foreign.Enter, "disconnect": foreign.Exit, "join": foreign.Join, "leave": foreign.Leave,
		"whisper": foreign.Whisper, "shout": foreign.Shout,
	}
	go func() { // ends with the process
		for e := range p.Events() {
			if word := words[e.Kind]; word != "" {
				s.add(e.ID, strings.Join([]string{word, e.Group + string(e.Message)}, " "))
			}
		}
	}()
	return s
}

// prober is a raw peer of a subject.
type prober struct {
	*foreignnet.Peer
	*foreignnet.Conn
	t   *testing.T
	ctx context.Context
}

func startProber(ctx context.Context, t *testing.T, s subject, port int) *prober {
	t.Helper()
	p, err := foreignnet.Start(ctx, foreignnet.Options{Name: "prober", UDPPort: port})
	must(t, "Start(prober)", err)
	t.Cleanup(func() { _ = p.Close() })
	c, err := p.Connect(s.endpoint, foreignnet.ConnOptions{})
	must(t, "Connect("+s.endpoint+")", err)
	return &prober{p, c, t, ctx}
}

func (p *prober) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// meet says HELLO and waits for the subject's. zyre.js closes a connection with all that
// has not left it.
func (p *prober) meet() {
	p.t.Helper()
	p.must(p.SayHello())
	p.awaitHello()
}

func (p *prober) awaitHello() {
	p.t.Helper()
	_, err := p.WaitMessage(p.ctx, 1, foreignnet.IsMessage(foreign.HelloID))
	p.must(err)
}

// at sends a message with a sequence number.
func (p *prober) at(sequence uint16, id uint8, group string, status uint8, content ...string) {
	p.t.Helper()
	m := foreign.Message{ID: id, Group: group, Status: status}
	for _, c := range content {
		m.Content = append(m.Content, []byte(c))
	}
	p.must(p.SayAt(sequence, m))
}

// raw sends a header frame.
func (p *prober) raw(header string) {
	p.t.Helper()
	p.must(p.Conn.Send([]byte(header)))
}

// likeZyreJS is what a peer does to zyre.js, what the application there sees of the
// peer, and what the peer is sent.
var likeZyreJS = []struct {
	name       string
	do         func(p *prober)
	sees, says string
}{
	{"HELLO", func(p *prober) { p.must(p.SayHello("G", "H")) }, "JOIN G, JOIN H, ENTER", "hello#1"},
	{"HELLO that is not the first", func(p *prober) {
		p.must(p.SayAt(7, p.Hello()))
		p.must(p.SayHello())
	}, "ENTER", "hello#1"},
	{"beacon, WHISPER, HELLO", func(p *prober) {
		p.must(p.Announce())
		p.awaitHello()
		p.at(1, foreign.WhisperID, "", 0, "x")
		p.must(p.SayHello())
	}, "WHISPER x, EXIT", "hello#1"},
	{"WHISPER of a stranger", func(p *prober) {
		p.at(1, foreign.WhisperID, "", 0, "x")
		p.must(p.SayHello())
	}, "ENTER", "hello#1"},
	{"messages", func(p *prober) {
		p.must(p.SayHello())
		p.at(2, foreign.WhisperID, "", 0, "x", "y")
		p.at(3, foreign.ShoutID, "in", 0, "x")
		p.at(4, foreign.ShoutID, "out", 0, "x")
		p.at(5, foreign.PingID, "", 0)
		p.at(6, foreign.PingOkID, "", 0)
		p.at(7, foreign.WhisperID, "", 0, "")
	}, "ENTER, WHISPER x, SHOUT inx, WHISPER", "hello#1 ping-ok#2"},
	{"any status", func(p *prober) {
		p.must(p.SayHello())
		p.at(2, foreign.JoinID, "G", 77)
		p.at(3, foreign.JoinID, "G", 77)
		p.at(4, foreign.LeaveID, "G", 0)
		p.at(5, foreign.LeaveID, "G", 0)
	}, "ENTER, JOIN G, JOIN G, LEAVE G, LEAVE G", "hello#1"},
	{"gap", func(p *prober) {
		p.meet()
		p.at(3, foreign.WhisperID, "", 0, "x")
		p.at(2, foreign.WhisperID, "", 0, "y")
	}, "ENTER, EXIT", "hello#1"},
	{"HELLO again", func(p *prober) {
		p.meet()
		p.must(p.SayHello())
		p.at(2, foreign.WhisperID, "", 0, "x")
	}, "ENTER, EXIT", "hello#1"},
	{"HELLO a third time", func(p *prober) {
		p.meet()
		p.must(p.SayHello())
		p.must(p.SayHello())
	}, "ENTER, EXIT, ENTER", "hello#1 hello#1"},
	{"unknown command", func(p *prober) {
		p.must(p.SayHello())
		p.raw("\xAA\xA1\x0A\x02\x00\x02")
		p.at(2, foreign.WhisperID, "", 0, "x")
	}, "ENTER, WHISPER x", "hello#1"},
	{"cut short, another version, another signature", func(p *prober) {
		p.raw("\xAA\xA1\x01\x02\x00\x01\x09tcp://P:1")
		p.must(p.SayHello())
		p.raw("\xAA\xA1\x04\x02\x00\x02\x01G")
		p.raw("\xAA\xA1\x02\x03\x00\x02")
		p.raw("\xAA\xA0\x02\x02\x00\x02")
		p.at(2, foreign.WhisperID, "", 0, "x")
	}, "ENTER, WHISPER x", "hello#1"},
	{"no content", func(p *prober) {
		p.must(p.SayHello())
		p.at(2, foreign.WhisperID, "", 0)
		p.at(3, foreign.WhisperID, "", 0, "x")
	}, "ENTER, WHISPER, WHISPER x", "hello#1"},
	{"text that is not UTF-8", func(p *prober) {
		p.must(p.SayHello())
		p.at(2, foreign.JoinID, "g\xFF", 1)
	}, "ENTER, JOIN g\uFFFD", "hello#1"},
	{"goodbye", func(p *prober) {
		p.meet()
		p.must(p.Goodbye())
	}, "ENTER, EXIT", "hello#1"},
	{"goodbye of a stranger", func(p *prober) { p.must(p.Goodbye()) }, "EXIT", ""},
	{"no beacons", func(p *prober) {
		p.must(p.SendDatagrams([]byte("ZRE"), foreign.AppendBeacon(nil, p.UUID(), 1)[:21],
			append(foreign.AppendBeacon(nil, p.UUID(), 1), 0), append([]byte("ZRE\x03"), make([]byte, 50)...)))
		p.must(p.Announce())
	}, "", "hello#1"},
}

// The model of zyre.js does what zyre.js does.
func TestPeer_likeZyreJS(t *testing.T) {
	for name, start := range map[string]func(context.Context, *testing.T, int) subject{"model": startModel, "real": startReal} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*watch.Patience)
			t.Cleanup(cancel)
			port := kit.FreeUDPPort(t)
			s := start(ctx, t, port)
			marker := startProber(ctx, t, s, port)
			marker.must(marker.SayHello())
			for i, tt := range likeZyreJS {
				p := startProber(ctx, t, s, port)
				p.t = t
				tt.do(p)
				short, cancel := context.WithTimeout(ctx, watch.Patience/4)
				s.of(short, p.UUIDText(), len(fields(tt.sees, ", ")))
				says := fields(tt.says, " ")
				if len(says) > 0 {
					_, _ = p.WaitMessage(short, len(says), func(foreignnet.Received) bool { return true })
				}
				cancel()
				// What should not come has had its time when this has come.
				marker.must(marker.Say(foreign.Message{ID: foreign.WhisperID, Content: [][]byte{[]byte("mark")}}))
				if got := s.of(ctx, marker.UUIDText(), 2+i); len(got) != 2+i {
					t.Fatalf("%s: the marker does not come: %q", tt.name, got)
				}
				if got := strings.Join(s.of(ctx, p.UUIDText(), 0), ", "); got != tt.sees {
					t.Errorf("%s: the application saw %q, want %q", tt.name, got, tt.sees)
				}
				var said []string
				for _, r := range p.Messages() {
					said = append(said, fmt.Sprintf("%s#%d", commands[r.Message.ID], r.Message.Sequence))
				}
				if got := strings.Join(said, " "); got != tt.says {
					t.Errorf("%s: it sent %q, want %q", tt.name, got, tt.says)
				}
				p.must(p.Peer.Close())
			}
		})
	}
}

var commands = [...]string{1: "hello", "whisper", "shout", "join", "leave", "ping", "ping-ok", 10: "goodbye"}

// fields splits a text; of an empty one there are none.
func fields(s, separator string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, separator)
}
