//go:build unix

package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

const (
	soakGroups = 6        // that there are in a soak
	minQueue   = 64 << 10 // the smallest queue limit
)

// soakWindows are what nodes set: the least, into which the largest messages do not fit,
// one that these fill, and the default.
var soakWindows = []int{64 << 10, 256 << 10, 8 << 20}

func soakGroup(i int) string { return fmt.Sprint("group", i) }

// soakMessage is what each message in a soak says of its sender, so that whoever
// receives it can tell what came before.
type soakMessage struct {
	Run    string          // of the sender: node and number of its start
	Number int             // of this whisper to this UUID, or of this shout in its group
	Groups uint            // that the sender is in, as bits
	Ops    int             // joins and leaves that the sender has made
	Shouts [soakGroups]int // messages that it has shouted in each group
	Pushed [soakGroups]int // how many of them ErrPushedBack kept from some members
	To     string          // whispers: run of the receiver, as far as the sender knows
	Knows  int             // and how many joins and leaves of it the sender knows of, or -1
	Pad    int             // size of the second frame, if there is one
}

// soakNode is a node in a soak: what it does at random, and what it checks of what it
// sees.
type soakNode struct {
	name  string
	cert  *zyre.Cert // nil for a plain node
	fault func(format string, args ...any)

	// set by start
	z       *zyre.Zyre
	run     string
	starts  int
	working sync.WaitGroup // the goroutines of a run
	stopped atomic.Bool

	passive atomic.Bool  // it does nothing of its own accord
	acting  sync.Mutex   // held while it does something
	stalled atomic.Int64 // until when it does not read its events, in ns

	mu       sync.Mutex
	groups   uint
	ops      int
	shouts   [soakGroups]int
	pushed   [soakGroups]int
	sent     map[string]int       // whispers by UUID of the receiver
	sending  string               // UUID of the receiver of one that may be sent or not
	peers    map[string]*soakPeer // who is here, by UUID
	past     map[string]*soakPast // who has been here, by run
	exits    map[string]int       // since the phase began, by run
	came     map[string][]string  // when the ones that exited entered and exited
	received int
	counted  int // times that the shouts between two whispers were counted
}

// soakPeer is a peer between its ENTER and its EXIT.
type soakPeer struct {
	run       string
	groups    uint
	ops       int // in its last message, -1 if there was none
	toggles   int // JOINs and LEAVEs since
	enterSent int // whispers that may have been sent to it before its ENTER was read

	heard  bool            // it has whispered
	shouts [soakGroups]int // in its last whisper
	pushed [soakGroups]int // likewise
	knows  int             // likewise
	got    [soakGroups]int // shouts since
}

// soakPast is what a run has sent, over all times that it was here.
type soakPast struct {
	whispers int             // number of the last one
	shouts   [soakGroups]int // likewise
	missing  int             // number of the last one that was lost between two ENTERs
}

// start begins a run.
func (n *soakNode) start(b *soakBirth, seed uint64) error {
	n.starts++
	n.mu.Lock()
	n.run = fmt.Sprintf("%s.%s.%d", n.name, b.Generation, n.starts)
	n.groups, n.ops, n.shouts, n.pushed, n.sent = 0, 0, [soakGroups]int{}, [soakGroups]int{}, map[string]int{}
	n.peers, n.past = map[string]*soakPeer{}, map[string]*soakPast{}
	n.exits, n.came = map[string]int{}, map[string][]string{}
	n.mu.Unlock()
	random := rand.New(rand.NewPCG(seed, uint64(n.starts)))
	if n.z == nil {
		n.z = n.newZyre(b, random)
		if dir := os.Getenv("ZYRE_SOAK_LOG"); dir != "" {
			f, err := os.OpenFile(filepath.Join(dir, n.run+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
			if err != nil {
				return err
			}
			n.z.SetLogger(slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})))
		}
	}
	n.z.SetHeader("run", "%s", n.run).SetHeader("network", "%s", n.network())
	for g := range soakGroups {
		if random.IntN(2) == 0 {
			n.toggle(g)
		}
	}
	if err := n.z.Start(); err != nil {
		return err
	}
	n.stopped.Store(false)
	events := n.z.Events()
	n.working.Go(func() { n.read(events) })
	n.working.Go(func() { n.live(random) })
	return nil
}

// newZyre makes the node, with one of the windows. A secure node lets in those with a key
// that it was told, or with any key: no others have one.
func (n *soakNode) newZyre(b *soakBirth, random *rand.Rand) *zyre.Zyre {
	z := zyre.NewZyre(context.Background()).SetName(n.name).SetInterface(b.Interface).SetPort(b.Port).
		SetInterval(500 * time.Millisecond).SetQueueLimit(minQueue).SetEvasiveTimeout(soakExpired / 4).
		SetSilentTimeout(soakExpired / 2).SetExpiredTimeout(soakExpired).SetWindow(soakWindows[random.IntN(len(soakWindows))])
	if n.cert != nil {
		z.SetZCert(n.cert.PublicKey, n.cert.SecretKey)
		if random.IntN(2) == 0 {
			z.SetAuthorizedKeys(b.Authorized...)
		}
	}
	return z
}

// network is which of two networks the node is in. They share a UDP port, and never see
// each other.
func (n *soakNode) network() string {
	if n.cert != nil {
		return "secure"
	}
	return "plain"
}

// stop ends a run, in the middle of whatever the node does.
func (n *soakNode) stop() {
	n.stopped.Store(true)
	n.z.Stop()
	n.working.Wait()
	for _, g := range n.z.OwnGroups() {
		n.z.Leave(g)
	}
}

// live does things at random until the node is stopped.
func (n *soakNode) live(random *rand.Rand) {
	next := time.Now()
	watch.Paced(5*time.Millisecond, func() (last bool) {
		if now := time.Now(); now.After(next) {
			next = now.Add(time.Duration(random.IntN(30)) * time.Millisecond)
			n.acting.Lock()
			if !n.passive.Load() {
				n.act(random)
			}
			n.acting.Unlock()
		}
		return n.stopped.Load()
	})
}

func (n *soakNode) act(random *rand.Rand) {
	group := random.IntN(soakGroups)
	switch dice := random.IntN(100); {
	case dice < 65:
		if ids := n.here(); len(ids) > 0 {
			n.whisper(random, ids[random.IntN(len(ids))])
		}
	case dice < 90:
		n.shout(random, group)
	case dice < 92:
		n.toggle(group)
	case dice < 95:
		n.z.PeersByGroup(soakGroup(group))
	default:
		n.z.Stats()
	}
}

func (n *soakNode) toggle(group int) {
	n.mu.Lock()
	n.ops++
	n.groups ^= 1 << group
	member := n.groups>>group&1 == 1
	n.mu.Unlock()
	if member {
		n.z.Join(soakGroup(group))
	} else {
		n.z.Leave(soakGroup(group))
	}
}

// whisper sends a peer a message in one of the ways that there are. What a method
// says was not sent has its number used again: if it was sent, that shows.
func (n *soakNode) whisper(random *rand.Rand, id string) {
	ctx, cancel := context.Background(), func() {}
	switch random.IntN(3) {
	case 0:
		n.z.Whisper(id, n.toPeer(id, true).encode())
		return
	case 1:
		ctx, cancel = context.WithTimeout(ctx, soakExpired/10)
	}
	defer cancel()
	err := n.z.WhisperContext(ctx, id, n.toPeer(id, false).pad(random)...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sending = ""
	if err == nil {
		n.sent[id]++
	}
}

// toPeer makes the next message to a peer, which counts as sent if it will be.
func (n *soakNode) toPeer(id string, sent bool) soakMessage {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.message()
	m.Number, m.Knows = n.sent[id]+1, -1
	if p := n.peers[id]; p != nil && p.ops >= 0 {
		m.To, m.Knows = p.run, p.ops+p.toggles
	}
	if sent {
		n.sent[id]++
	} else {
		n.sending = id
	}
	return m
}

func (n *soakNode) shout(random *rand.Rand, group int) {
	n.mu.Lock()
	n.shouts[group]++
	m := n.message()
	m.Number = m.Shouts[group]
	n.mu.Unlock()
	if random.IntN(2) == 0 {
		n.z.Shout(soakGroup(group), m.encode())
		return
	}
	err := n.z.ShoutContext(context.Background(), soakGroup(group), m.pad(random)...)
	if errors.Is(err, zyre.ErrPushedBack) { // its own application had stopped reading
		n.mu.Lock()
		n.pushed[group]++
		n.mu.Unlock()
	}
}

// message is a message as it can be sent now; the caller holds n.mu.
func (n *soakNode) message() soakMessage {
	return soakMessage{Run: n.run, Groups: n.groups, Ops: n.ops, Shouts: n.shouts, Pushed: n.pushed}
}

func (m soakMessage) encode() []byte {
	b, _ := json.Marshal(m) // numbers and a string
	return b
}

// pad gives the message a second frame, which is a large one at times.
func (m soakMessage) pad(random *rand.Rand) [][]byte {
	m.Pad = 1 + random.IntN(300)
	if random.IntN(100) == 0 {
		m.Pad = 1 + random.IntN(200_000)
	}
	return [][]byte{m.encode(), bytes.Repeat([]byte{byte(m.Number)}, m.Pad)}
}

// parseSoak reads a message and checks that it came whole.
func parseSoak(e *zyre.Event) (m soakMessage, err error) {
	if err := json.Unmarshal(e.Msg, &m); err != nil {
		return m, err
	}
	switch {
	case m.Pad == 0 && len(e.Frames) != 1:
		return m, fmt.Errorf("%d frames, want 1: %.40q", len(e.Frames), e.Frames[1:])
	case m.Pad == 0:
		return m, nil
	case len(e.Frames) != 2 || len(e.Frames[1]) != m.Pad:
		return m, fmt.Errorf("%d frames, want a second one of %d bytes", len(e.Frames), m.Pad)
	case bytes.Count(e.Frames[1], []byte{byte(m.Number)}) != m.Pad:
		return m, fmt.Errorf("the second frame has changed")
	}
	return m, nil
}

// lastWhispers whispers to every peer once more, so that all can compare their counts.
func (n *soakNode) lastWhispers() {
	for _, id := range n.here() {
		n.z.Whisper(id, n.toPeer(id, true).encode())
	}
}

// here lists the UUIDs of the peers that are here, in order.
func (n *soakNode) here() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.peers))
}
