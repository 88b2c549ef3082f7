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
	taken           map[string]bool // endpoints that others have; with port *, of which no port is free
	bound           []string
	calls           []string
	last            int // the port that was given last in place of *
}

func (in *portInbox) Bind(endpoint string) (string, error) {
	if before, any := strings.CutSuffix(endpoint, "*"); any && !in.taken[endpoint] {
		in.last++
		endpoint = before + fmt.Sprint(in.last)
	}
	if in.taken[endpoint] {
		return "", fmt.Errorf("%s is taken", endpoint)
	}
	in.bound = append(in.bound, endpoint)
	in.calls = append(in.calls, "+"+strings.TrimPrefix(endpoint, "tcp://"))
	return endpoint, nil
}

func (in *portInbox) Unbind(endpoint string) error {
	in.bound = slices.DeleteFunc(in.bound, func(b string) bool { return b == endpoint })
	in.calls = append(in.calls, "-"+strings.TrimPrefix(endpoint, "tcp://"))
	return nil
}

// linkTo makes a link with an address, on the interface with an index.
func linkTo(addr string, index int) netif.Link {
	return netif.Link{Name: fmt.Sprint("eth", index), Index: index, Addr: netip.MustParseAddr(addr)}
}

// What a binder does at its start, and then as the links change, move by move: a letter is a
// link. At the start it is all or nothing; later what is bound stays.
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
			"a: +10.0.0.1:1", "ab: +10.0.1.1:2 +10.0.0.1:2 -10.0.0.1:1 moved",
		}, 2},
		{"the old port is taken, and others on the link that has it", config{}, "10.0.1.1:1 10.0.0.1:2 10.0.0.1:3", []string{
			"a: +10.0.0.1:1", "ab: +10.0.1.1:2 -10.0.1.1:2 +10.0.1.1:3 -10.0.1.1:3 +10.0.1.1:4 +10.0.0.1:4 -10.0.0.1:1 moved",
		}, 4},
		{"no port is free on both", config{}, "10.0.1.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 10.0.0.1:5 10.0.0.1:6", []string{
			"a: +10.0.0.1:1",
			"ab: +10.0.1.1:2 -10.0.1.1:2 +10.0.1.1:3 -10.0.1.1:3 +10.0.1.1:4 -10.0.1.1:4 +10.0.1.1:5 -10.0.1.1:5 " +
				"+10.0.1.1:6 -10.0.1.1:6 not on b",
		}, 1},
		{"no port at all on one", config{}, "10.0.1.1:1 10.0.1.1:*", []string{
			"a: +10.0.0.1:1", "ab: not on b", "bac: +[fe80::1%eth3]:1 not on b", "bc: -10.0.0.1:1 not on b",
		}, 1},
		{"the old port is taken on one, no port at all on another", config{}, "10.0.1.1:1 10.0.1.1:* [fe80::1%eth3]:1", []string{
			"a: +10.0.0.1:1", "abc: +[fe80::1%eth3]:2 +10.0.0.1:2 -10.0.0.1:1 moved not on b",
		}, 2},
		{"no port at all", config{}, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 10.0.0.1:5", []string{"a: error"}, 0},
		{"the port of SetBeaconPeerPort", config{peerPort: 77}, "", []string{"ab: +10.0.0.1:77 +10.0.1.1:77"}, 77},
		{"that port and no other", config{peerPort: 77}, "10.0.1.1:77", []string{"ab: +10.0.0.1:77 -10.0.0.1:77 error"}, 0},
		{"that port, on a link that comes later", config{peerPort: 77}, "10.0.1.1:77", []string{
			"a: +10.0.0.1:77", "ab: not on b", "abc: +[fe80::1%eth3]:77 not on b", "bc: -10.0.0.1:77 not on b", "b: -[fe80::1%eth3]:77 not on b",
		}, 0},
		{"that port, on one of the links that come first", config{peerPort: 77}, "10.0.1.1:77", []string{
			": ", "ba: +10.0.0.1:77 not on b",
		}, 77},
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
			for i, m := range test.moves {
				letters, want, _ := strings.Cut(m, ": ")
				var to []netif.Link
				for _, letter := range letters {
					to = append(to, links[letter])
				}
				in.calls = nil
				before := b.port
				if b.links = to; i > 0 {
					b.move(to)
				} else if b.bind() != nil {
					in.calls = append(in.calls, "error")
				}
				if before != 0 && b.port != 0 && b.port != before {
					in.calls = append(in.calls, "moved")
				}
				for _, letter := range letters {
					if b.failing[bindPlaceOf(links[letter])] != nil {
						in.calls = append(in.calls, "not on "+string(letter))
					}
				}
				checkBound(t, &b, in)
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

// checkBound checks that a binder knows what its inbox is bound to, and names only links on
// which that is so.
func checkBound(t *testing.T, b *binder, in *portInbox) {
	t.Helper()
	at := b.location(false, &routing{})
	if b.fixed != "" {
		return
	}
	want := slices.DeleteFunc(slices.Clone(b.links), func(l netif.Link) bool {
		return !slices.Contains(in.bound, tcpEndpoint(l.Addr, fmt.Sprint(b.port)))
	})
	if !slices.Equal(at.links, want) || len(at.endpoints) != len(in.bound) || (at.port == 0) != (len(want) == 0) {
		t.Errorf("location has links %v, endpoints %q and port %d; bound is %q", at.links, at.endpoints, at.port, in.bound)
	}
}

// A failure is warned of once for each link, and forgotten when it is over. It undoes nothing.
func TestBinder_rebind(t *testing.T) {
	log, place, other := &levels{}, "tcp://10.0.0.1:77", "tcp://10.0.1.1:77"
	in := &portInbox{taken: map[string]bool{place: true}}
	b := newBinder(&config{peerPort: 77}, in, slog.New(log))
	b.links = []netif.Link{linkTo("10.0.0.1", 1)}
	for range 3 {
		if b.rebind(); len(b.failing) != 1 {
			t.Errorf("rebind() fails at %v, want one place", b.failing)
		}
	}
	delete(in.taken, place)
	if b.rebind(); len(b.failing) != 0 || !slices.Equal(b.location(false, &routing{}).endpoints, []string{place}) {
		t.Errorf("rebind() fails at %v, endpoints %q; want nowhere, and %s", b.failing, b.endpoints, place)
	}
	if log.warnings() != 1 {
		t.Errorf("%d warnings, want 1: %q", log.warnings(), log.texts)
	}
	in.taken[other] = true
	b.move(append(b.links, linkTo("10.0.1.1", 2)))
	for range 3 {
		b.rebind()
	}
	if want := []string{"+10.0.0.1:77"}; len(b.failing) != 1 || !slices.Equal(in.calls, want) || log.warnings() != 2 {
		t.Errorf("with one link of two: calls %q, %d fail, %d warnings; want %q, 1 and 2", in.calls, len(b.failing), log.warnings(), want)
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
