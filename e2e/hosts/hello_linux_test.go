package hosts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
)

// hellos are HELLOs with long lists.
type hellos struct {
	Node, Kind string
	Keys       keys
	Count      int // of peers that say it
	Limit      time.Duration
}

// text makes one of a size.
func text(size int) string { return strings.Repeat("x", size) }

// list makes texts that differ.
func list(count, size int) (all []string) {
	for i := range count {
		all = append(all, fmt.Sprintf("%06d%s", i, text(size-6)))
	}
	return all
}

// headers makes headers that differ.
func headers(count, size int) (all []foreign.Header) {
	for _, key := range list(count, 10) {
		all = append(all, foreign.Header{Key: key, Value: text(size)})
	}
	return all
}

// helloKinds are what these HELLOs have.
var helloKinds = map[string]func() foreign.Message{
	"a group's name of 20 MB": func() foreign.Message { return foreign.Message{Groups: list(1, 20<<20)} },
	"a header of 20 MB":       func() foreign.Message { return foreign.Message{Headers: headers(1, 20<<20)} },
	"20,000 groups":           func() foreign.Message { return foreign.Message{Groups: list(20_000, 20)} },
	"5,000 headers":           func() foreign.Message { return foreign.Message{Headers: headers(5_000, 100)} },
	"5 MB of groups' names":   func() foreign.Message { return foreign.Message{Groups: list(20_000, 255)} },
	"as much as a peer may":   func() foreign.Message { return foreign.Message{Headers: headers(990, 1000), Groups: list(100, 200)} },
}

// run returns how many it has said. Its connections stay, so that all is sent.
func (h *hellos) run() (said int, err error) {
	in, err := zmq.NewContext()
	if err != nil {
		return 0, err
	}
	stay.add(in)
	m := h.Keys.hello(helloKinds[h.Kind]())
	m.ID, m.Sequence, m.Name, m.Status = foreign.HelloID, 1, "stranger", uint8(len(m.Groups))
	end := time.Now().Add(h.Limit)
	for ; said < h.Count && time.Now().Before(end); said++ {
		s, err := h.Keys.dealer(in, h.Node)
		if err != nil {
			return said, err
		}
		stay.add(s)
		m.Endpoint = fmt.Sprint("tcp://10.78.0.3:", 20_000+said)
		header, err := m.Append(nil)
		if err == nil {
			_, err = s.SendBytes(header, 0)
		}
		if err != nil {
			return said, err
		}
	}
	return said, nil
}

// A HELLO with longer lists than a peer may have is refused as a whole, in plain networks as from
// holders of keys. Those with as long ones as it may have take the memory that is told.
func TestNet_strangersHellos(t *testing.T) {
	const limit = 4 * time.Second
	// Each peer that enters may take 4 MiB, and twice as much with the garbage collector of Go; the
	// process of this test takes some beside it.
	const entering, each, beside = 20, 8 << 20, 64 << 20
	for kind := range helloKinds {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secure %t", kind, secure), func(t *testing.T) {
				t.Parallel()
				do := hellos{Kind: kind, Count: 3, Limit: limit}
				enters := kind == "as much as a peer may"
				most := mostMemory
				if enters {
					do.Count, most = entering, entering*each+beside
				}
				cfg := lifelike(child.Config{})
				if secure {
					public, secret := kit.KeyPair(t)
					cfg.PublicKey, cfg.SecretKey, cfg.Authorized = public, secret, []string{public}
					do.Keys = keys{public, public, secret}
				}
				h := netns.NewLAN(t, "a", "b", "x")
				a, b := node(h[0], cfg), node(h[1], cfg)
				within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
				start, x, said := time.Now(), h[2].Start("stranger"), 0
				do.Node = a.Started.Endpoint
				refused := func() uint64 {
					d := a.Stats().Dropped // a connection is cut if a HELLO is late in coming
					return d.Malformed + d.HelloRefused + d.GroupsRefused + d.ConnectionsCut
				}
				cost := costOf(t, a, most, func() error {
					err := x.Try("hellos", "", do, &said)
					watch.Until(t, "an end of the attack", func() bool { return refused() > 0 || a.Count("ENTER stranger") == said })
					return err
				})
				t.Logf("%d HELLOs, %d refused, %d entered; %v", said, refused(), a.Count("ENTER stranger"), cost)
				if n := a.Count("ENTER stranger"); enters && n != said || !enters && n > 0 {
					t.Errorf("%d entered of %d; want all of them: %t", n, said, enters)
				}
				if !enters && (refused() == 0 || a.Count("JOIN stranger") > 0) {
					t.Errorf("%d refused, %d JOIN; want some, and none", refused(), a.Count("JOIN stranger"))
				}
				checkTalk(t, a, b)
				checkPairs(t, start, 0, a, b)
			})
		}
	}
}
