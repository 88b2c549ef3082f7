package hosts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// whisperHeader is the first frame of a WHISPER.
var whisperHeader = []byte{0xaa, 0xa1, 2, 2, 0, 1}

// attack is what a hostile host does to an endpoint, over and over.
type attack struct {
	Endpoint string
	Kind     string
	Limit    time.Duration // how long it goes on
	Bytes    int           // and how many bytes it sends at most
	AtOnce   int           // connections
	Keys     keys          // if it has any

	end  time.Time
	kept chan net.Conn // connections that stay open until the end
}

// attacked is what it did.
type attacked struct {
	Connections, Bytes int
}

// attackKinds are the attacks, each with one connection.
var attackKinds = map[string]func(a *attack, sent func(n int) bool) error{
	// A frame of a gigabyte is announced, and as much of it sent as the other side takes.
	"giant frame":           func(a *attack, sent func(int) bool) error { return a.giantFrame("NULL", sent) },
	"giant frame, no key":   func(a *attack, sent func(int) bool) error { return a.giantFrame("CURVE", sent) },
	"frame of the limit":    func(a *attack, sent func(int) bool) error { return a.frame("NULL", 64<<20, sent) },
	"limit without a key":   func(a *attack, sent func(int) bool) error { return a.frame("CURVE", 64<<20, sent) },
	"a million frames":      func(a *attack, sent func(int) bool) error { return a.frames(1_000_000, true, sent) },
	"frames without an end": func(a *attack, sent func(int) bool) error { return a.frames(1<<40, false, sent) },

	"frames without an end, of peers":          func(a *attack, sent func(int) bool) error { return a.frames(1<<40, false, sent) },
	"little without an end on each connection": func(a *attack, sent func(int) bool) error { return a.frames(400_000, false, sent) },

	// With keys, each empty frame has 35 bytes on the wire.
	"half a million frames, with a key":          func(a *attack, sent func(int) bool) error { return a.sealed(500_000, true, sent) },
	"frames without an end, with a key":          func(a *attack, sent func(int) bool) error { return a.sealed(500_000, false, sent) },
	"frames without an end, of peers with a key": func(a *attack, sent func(int) bool) error { return a.sealed(500_000, false, sent) },

	"a million frames to a hub":      func(a *attack, sent func(int) bool) error { return a.frames(1_000_000, true, sent) },
	"frames without an end to a hub": func(a *attack, sent func(int) bool) error { return a.frames(1<<40, false, sent) },
}

func (a *attack) giantFrame(mechanism string, sent func(int) bool) error {
	return a.frame(mechanism, 1<<30, sent)
}

// frame announces a frame of a size and sends all but its last byte.
func (a *attack) frame(mechanism string, size int, sent func(int) bool) error {
	r, err := a.dial(mechanism)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Write(zmtp.AppendClaim(nil, uint64(size), true)); err != nil {
		return err
	}
	chunk := make([]byte, 64<<10)
	for left := size - 1; left > 0; left -= len(chunk) {
		n, err := r.Write(chunk[:min(left, len(chunk))])
		if !sent(n) || err != nil {
			return err
		}
	}
	r.Ended(time.Second)
	return nil
}

// frames sends a message of so many empty frames, or one that does not end.
func (a *attack) frames(count int, end bool, sent func(int) bool) error {
	r, err := a.dial("NULL")
	if err != nil {
		return err
	}
	if end {
		defer r.Close()
	} else {
		a.kept <- r
	}
	chunk := []byte{}
	for range 32 << 10 {
		chunk = zmtp.AppendFrame(chunk, nil, true)
	}
	first := zmtp.AppendFrame(nil, whisperHeader, true)
	if strings.HasSuffix(a.Kind, "peers") {
		host := r.LocalAddr().(*net.TCPAddr)
		hello := foreign.Message{ID: foreign.HelloID, Sequence: 1, Endpoint: fmt.Sprint("tcp://", host.IP, ":", 1+host.Port%30000), Name: "x"}
		header, err := hello.Append(nil)
		if err != nil {
			return err
		}
		first = append(zmtp.AppendFrame(nil, header, false), first...)
	}
	if _, err := r.Write(first); err != nil {
		return err
	}
	for left := count; left > 0; left -= len(chunk) / 2 {
		n, err := r.Write(chunk[:2*min(left, len(chunk)/2)])
		if !sent(n) || err != nil {
			return err
		}
	}
	if end {
		_, err = r.Write(zmtp.AppendFrame(nil, nil, false))
	}
	return err
}

func (a *attack) dial(mechanism string) (r zmtp.Raw, err error) {
	if mechanism == "CURVE" {
		r, err = zmtp.DialGreeting(a.Endpoint, mechanism)
	} else {
		identity := fmt.Appendf(nil, "\x01%016x", rand.Uint64())
		r, err = zmtp.Dial(a.Endpoint, identity)
	}
	if err == nil {
		_ = r.SetWriteDeadline(time.Now().Add(a.Limit))
	}
	return r, err
}

// run attacks with several connections at once, until the time or the bytes are used up.
func (a *attack) run() (done attacked, err error) {
	do := attackKinds[a.Kind]
	if do == nil {
		return done, fmt.Errorf("no attack %q", a.Kind)
	}
	a.end = time.Now().Add(a.Limit)
	results := make(chan attacked, a.AtOnce)
	a.kept = make(chan net.Conn, 10_000)
	for range a.AtOnce {
		go func() {
			var mine attacked
			sent := func(n int) bool {
				mine.Bytes += n
				return mine.Bytes < a.Bytes/a.AtOnce && time.Now().Before(a.end)
			}
			for sent(0) {
				_ = do(a, sent) // the connection was ended, which is what the test is about
				mine.Connections++
			}
			results <- mine
		}()
	}
	for range a.AtOnce {
		r := <-results
		done.Connections += r.Connections
		done.Bytes += r.Bytes
	}
	for range len(a.kept) {
		(<-a.kept).Close()
	}
	if done.Connections == 0 {
		err = errors.New("no connection was possible")
	}
	return done, err
}

// attackVerbs are what children of these tests can do besides.
var attackVerbs = child.Verbs{
	"attack": verb((*attack).run), "members": verb((*members).run),
	"service": verb((*service).run), "name": verb((*namings).run),
	"forge": verb((*forgery).run), "names": verb((*nameServer).run), "hellos": verb((*hellos).run),
	"crowd": verb((*crowd).run), "fickle": verb((*fickle).run), "annoy": verb((*nuisance).run),
}

// verb makes a command of what is done with its arguments.
func verb[T, R any](run func(with *T) (R, error)) func(*child.Reporter, child.Command) (any, error) {
	return func(_ *child.Reporter, c child.Command) (any, error) {
		var with T
		if err := json.Unmarshal(c.With, &with); err != nil {
			return nil, err
		}
		return run(&with)
	}
}

// What an attack may cost a node at the most.
const (
	mostMemory = 512 << 20 // that the process may take more than before
	mostAnswer = 500 * time.Millisecond
)

// cost is what an attack has cost a node.
type cost struct {
	memory int // that its process took more than before at the most, in bytes
	// answer is the longest time that the node took to answer, without that in which it, or this
	// test, had no processor.
	answer time.Duration
}

func (c cost) String() string {
	return fmt.Sprintf("memory grew by %d kB at the most, Stats took %v at the most", c.memory>>10, c.answer.Round(time.Millisecond))
}

// costOf has somebody attack a node, and fails the test if that cost more than it may.
func costOf(t *testing.T, a *child.Node, most int, attack func() error) (c cost) {
	t.Helper()
	before := a.Process.Usage()
	c.answer = answers(t, a, attack)
	c.memory = a.Process.Usage().Resident - before.Resident
	if c.memory > most {
		t.Errorf("memory grew by %d bytes, want at most %d", c.memory, most)
	}
	return c
}

// answers asks a node for its Stats over and over while it is attacked, and returns the longest time
// that an answer took, which must not be too long.
func answers(t *testing.T, a *child.Node, attack func() error) (longest time.Duration) {
	t.Helper()
	over, asked := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for running := true; running && err == nil; {
			waited, start := waited(a), time.Now()
			err = a.Process.Try("stats", a.Name, nil, nil)
			longest = max(longest, time.Since(start)-waited())
			select {
			case <-over:
				running = false
			default:
			}
		}
		asked <- err
	}()
	err := attack()
	close(over)
	if err := errors.Join(err, <-asked); err != nil {
		t.Fatal(err)
	}
	if longest > mostAnswer {
		t.Errorf("Stats took %v, want at most %v", longest, mostAnswer)
	}
	return longest
}

// However a stranger sends what libzmq has to keep, a node's memory and its answers stay
// within bounds, and its peers notice nothing. Nor does it help to have a key.
func TestNet_strangersBytes(t *testing.T) {
	public, secret := kit.KeyPair(t)
	for kind := range attackKinds {
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			t.Parallel()
			cfg := child.Config{}
			do := attack{Kind: kind, Limit: 4 * time.Second, Bytes: 256 << 20, AtOnce: 8}
			if strings.HasSuffix(kind, "key") {
				cfg.PublicKey, cfg.SecretKey = public, secret
			}
			if strings.HasSuffix(kind, "with a key") {
				do.Keys = keys{public, public, secret}
				cfg.Authorized = []string{public}
				do.AtOnce = 2 // each takes as much memory as the node
			}
			toHub := strings.HasSuffix(kind, "hub")
			if toHub {
				cfg.GossipBind = "tcp://10.78.0.1:9999"
			}
			h := netns.NewLAN(t, "a", "b", "x")
			a := node(h[0], cfg)
			do.Endpoint = a.Started.Endpoint
			if toHub {
				do.Endpoint, cfg.GossipBind, cfg.GossipConnect = a.Started.Gossip, "", a.Started.Gossip
			}
			b := node(h[1], cfg)
			within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
			start := time.Now()
			x := h[2].Start("attack")
			var did attacked
			cost := costOf(t, a, mostMemory, func() error { return x.Try("attack", "", do, &did) })
			t.Logf("%s: %d connections, %d kB on the wire; %v, %d connections ended",
				kind, did.Connections, did.Bytes>>10, cost, a.Stats().Dropped.ConnectionsCut+a.Stats().Gossip.Ended)
			checkTalk(t, a, b)
			checkPairs(t, start, 0, a, b)
		})
	}
}
