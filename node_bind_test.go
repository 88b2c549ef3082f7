package zyre

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// portInbox is an inbox of which only the endpoints matter.
type portInbox struct {
	transport.Inbox                 // nil: no other method is called
	taken           map[string]bool // endpoints that others have
	calls           []string
	last            int // the port that was given last in place of *
}

func (in *portInbox) Bind(endpoint string) (string, error) {
	if before, any := strings.CutSuffix(endpoint, "*"); any {
		in.last++
		endpoint = before + fmt.Sprint(in.last)
	}
	if in.taken[endpoint] {
		return "", fmt.Errorf("%s is taken", endpoint)
	}
	in.calls = append(in.calls, "+"+strings.TrimPrefix(endpoint, "tcp://"))
	return endpoint, nil
}

func (in *portInbox) Unbind(endpoint string) error {
	in.calls = append(in.calls, "-"+strings.TrimPrefix(endpoint, "tcp://"))
	return nil
}

// linkTo makes a link with an address, on the interface with an index.
func linkTo(addr string, index int) netif.Link {
	return netif.Link{Name: fmt.Sprint("eth", index), Index: index, Addr: netip.MustParseAddr(addr)}
}

// What a binder does as the links change, move by move: a letter is a link.
func TestBinder_move(t *testing.T) {
	links := map[rune]netif.Link{
		'a': linkTo("10.0.0.1", 1), 'b': linkTo("10.0.1.1", 2), 'c': linkTo("fe80::1%eth3", 3),
		'A': linkTo("10.0.0.1", 9), 'C': linkTo("fe80::1%eth3", 9), // the interface was made again
	}
	for _, test := range []struct {
		name  string
		cfg   config
		taken string
		moves []string // links, and what is done then
		port  uint16   // in the end; 0 if it is not bound
	}{
		{"no link", config{}, "", []string{": "}, 0},
		{"one port for all", config{}, "", []string{"abc: +10.0.0.1:1 +10.0.1.1:1 +[fe80::1%eth3]:1"}, 1},
		{"what stays is left alone", config{}, "", []string{
			"ab: +10.0.0.1:1 +10.0.1.1:1", "bc: -10.0.0.1:1 +[fe80::1%eth3]:1", "b: -[fe80::1%eth3]:1",
		}, 1},
		{"no link any more", config{}, "", []string{"a: +10.0.0.1:1", ": -10.0.0.1:1"}, 0},
		{"the old port after a while", config{}, "", []string{"a: +10.0.0.1:1", ": -10.0.0.1:1", "b: +10.0.1.1:1"}, 1},
		{"an interface made again: only IPv6 depends on it", config{}, "", []string{
			"ac: +10.0.0.1:1 +[fe80::1%eth3]:1", "AC: -[fe80::1%eth3]:1 +[fe80::1%eth3]:1",
		}, 1},
		{"ports that one link has not", config{}, "10.0.1.1:1 10.0.1.1:2", []string{
			"ab: +10.0.0.1:1 -10.0.0.1:1 +10.0.0.1:2 -10.0.0.1:2 +10.0.0.1:3 +10.0.1.1:3",
		}, 3},
		{"the old port is taken", config{}, "10.0.1.1:1", []string{
			"a: +10.0.0.1:1", "ab: -10.0.0.1:1 +10.0.0.1:2 +10.0.1.1:2",
		}, 2},
		{"no port at all", config{}, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 10.0.0.1:5", []string{"a: error"}, 0},
		{"the port of SetBeaconPeerPort", config{peerPort: 77}, "", []string{"ab: +10.0.0.1:77 +10.0.1.1:77"}, 77},
		{"that port and no other", config{peerPort: 77}, "10.0.1.1:77", []string{"ab: +10.0.0.1:77 -10.0.0.1:77 error"}, 0},
		{"SetEndpoint", config{endpoint: "tcp://10.0.0.9:*"}, "", []string{"a: +10.0.0.9:1"}, 1},
		{"SetEndpoint, taken", config{endpoint: "tcp://10.0.0.9:9"}, "10.0.0.9:9", []string{"a: error"}, 0},
		{"SetEndpoint without a port", config{endpoint: "ipc:///node"}, "", []string{"a: +ipc:///node"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &portInbox{taken: map[string]bool{}}
			for _, place := range strings.Fields(test.taken) {
				in.taken["tcp://"+place] = true
			}
			b := newBinder(&test.cfg, in, slog.New(slog.DiscardHandler))
			for _, m := range test.moves {
				letters, want, _ := strings.Cut(m, ": ")
				var to []netif.Link
				for _, letter := range letters {
					to = append(to, links[letter])
				}
				in.calls = nil
				if err := b.move(to); err != nil {
					in.calls = append(in.calls, "error")
				}
				if got := strings.Join(in.calls, " "); got != want {
					t.Errorf("move(%s) does %q, want %q", letters, got, want)
				}
			}
			if b.port != test.port {
				t.Errorf("port = %d in the end, want %d", b.port, test.port)
			}
		})
	}
}

// A failure is warned of once, and forgotten when it is over.
func TestBinder_rebind(t *testing.T) {
	log, place := &levels{}, "tcp://10.0.0.1:77"
	in := &portInbox{taken: map[string]bool{place: true}}
	b := newBinder(&config{peerPort: 77}, in, slog.New(log))
	b.links = []netif.Link{linkTo("10.0.0.1", 1)}
	for range 3 {
		if err := b.rebind(); err == nil || !b.failed {
			t.Errorf("rebind() = %v, failed %t; want an error, and true", err, b.failed)
		}
	}
	delete(in.taken, place)
	if err := b.rebind(); err != nil || b.failed || !slices.Equal(b.location(false, &routing{}).endpoints, []string{place}) {
		t.Errorf("rebind() = %v, failed %t, endpoints %q; want nil, false and %s", err, b.failed, b.endpoints, place)
	}
	if log.warnings() != 1 {
		t.Errorf("%d warnings, want 1: %q", log.warnings(), log.texts)
	}
}

func TestBinder_isAtAddress(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"": false, "tcp://*:9": false, "tcp://0.0.0.0:9": false, "tcp://[::]:9": false,
		"tcp://10.0.0.1:*": true, "tcp://[::1]:9": true, "ipc:///node": true, "inproc://node": true,
	} {
		b := newBinder(&config{endpoint: endpoint}, nil, nil)
		if got := b.isAtAddress(); got != want {
			t.Errorf("isAtAddress() of %q = %t, want %t", endpoint, got, want)
		}
	}
}
