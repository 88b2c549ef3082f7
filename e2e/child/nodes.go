//go:build unix

package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

// node is a node of a child.
type node struct {
	*zyre.Zyre
	*Reporter
	cfg     Config
	running sync.WaitGroup // the goroutines of a run
	stopped chan struct{}  // closed when the run is to end
	unread  chan *zyre.Event

	mu      sync.Mutex
	tallies map[string]*counted
	sent    int // numbered messages
}

type counted struct {
	Tally
	next int // -1 if any number may come
}

func (c *inside) makeNode(command Command) (uuid string, err error) {
	n := &node{Reporter: c.Reporter, tallies: map[string]*counted{}}
	if err := json.Unmarshal(command.With, &n.cfg); err != nil {
		return "", err
	}
	if c.nodes[n.cfg.Name] != nil {
		return "", fmt.Errorf("there is a node %q", n.cfg.Name)
	}
	log := slog.New(slog.NewTextHandler(logWriter{c.Reporter}, nil))
	if n.cfg.NoLogger {
		slog.SetDefault(log)
		log = nil
	}
	n.Zyre, err = n.cfg.newZyre(log)
	if err != nil {
		return "", err
	}
	c.names = append(c.names, n.cfg.Name)
	c.nodes[n.cfg.Name] = n
	return n.UUID(), nil
}

// newZyre makes a node as the Config says, with a logger unless that is nil.
func (cfg *Config) newZyre(log *slog.Logger) (*zyre.Zyre, error) {
	z := zyre.NewZyre(context.Background()).SetName(cfg.Name).SetInterface(cfg.Interface).SetShareView(cfg.ShareView)
	if log != nil {
		z.SetLogger(log)
	}
	for _, d := range []struct {
		value time.Duration
		set   func(time.Duration) *zyre.Zyre
	}{
		{cfg.Interval, z.SetInterval}, {cfg.Evasive, z.SetEvasiveTimeout},
		{cfg.Silent, z.SetSilentTimeout}, {cfg.Expired, z.SetExpiredTimeout}, {cfg.Stalled, z.SetStalledTimeout},
	} {
		if d.value != 0 {
			d.set(d.value)
		}
	}
	for _, i := range []struct {
		value int
		set   func(int) *zyre.Zyre
	}{{cfg.Port, z.SetPort}, {cfg.PeerPort, z.SetBeaconPeerPort}, {cfg.QueueLimit, z.SetQueueLimit}} {
		if i.value != 0 {
			i.set(i.value)
		}
	}
	if cfg.UUID != "" {
		z.SetUUID(cfg.UUID)
	}
	if cfg.Contest != "" {
		z.SetContestInGroup(cfg.Contest)
	}
	if cfg.GossipBind != "" {
		z.GossipBind("%s", cfg.GossipBind)
	}
	if cfg.HubKey != "" {
		z.GossipConnectCurve(cfg.HubKey, "%s", cfg.GossipConnect)
	} else if cfg.GossipConnect != "" {
		z.GossipConnect("%s", cfg.GossipConnect)
	}
	if cfg.PublicKey != "" {
		z.SetZCert(cfg.PublicKey, cfg.SecretKey)
	}
	if cfg.Authorized != nil {
		z.SetAuthorizedKeys(cfg.Authorized...)
	}
	for _, group := range cfg.Groups {
		z.Join(group)
	}
	var err error
	if cfg.Endpoint != "" {
		err = z.SetEndpoint("%s", cfg.Endpoint)
	}
	for _, r := range cfg.Required {
		err = errors.Join(err, z.RequirePeer(r.UUID, r.Endpoint, r.Key))
	}
	return z, err
}

// each has a node do something, or all of them at once.
func (c *inside) each(name string, do func(*node) error) error {
	names := c.names
	if name != "" {
		names = []string{name}
	}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		n := c.nodes[name]
		if n == nil {
			return fmt.Errorf("no node %q", name)
		}
		wg.Go(func() { errs[i] = do(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ask carries out a command that one node answers, or all of them at once do; then the
// answer is by name.
func (c *inside) ask(command Command) (any, error) {
	var mu sync.Mutex
	answers := map[string]any{}
	err := c.each(command.Node, func(n *node) error {
		answer, err := n.answer(command.Do)
		mu.Lock()
		defer mu.Unlock()
		answers[n.cfg.Name] = answer
		return err
	})
	if command.Node != "" {
		return answers[command.Node], err
	}
	return answers, err
}

func (n *node) answer(do string) (any, error) {
	switch do {
	case "start":
		return n.start()
	case "tallies":
		return n.tally(), nil
	case "poke":
		return Poke(n.Zyre), nil
	case "dump":
		var dump strings.Builder
		n.Dump(&dump)
		return dump.String(), nil
	}
	return n.Stats(), nil
}

// dispatch carries out a command that has no answer.
func (n *node) dispatch(do string, with arguments) error {
	switch do {
	case "stop":
		return n.stop()
	case "read":
		n.read(n.unread)
	case "join":
		n.Join(with.Group)
	case "leave":
		n.Leave(with.Group)
	case "shout":
		n.Shouts(with.Group, "%s", with.Text)
	case "whisper":
		n.Whispers(n.find(with.Peer), "%s", with.Text)
	case "number":
		stopped := n.stopped
		n.running.Go(func() { n.number(with, stopped) })
	}
	return nil
}

// find returns the UUID of a peer that is called by its name or UUID.
func (n *node) find(peer string) string {
	for _, p := range n.Stats().PeerList {
		if p.Name == peer {
			return p.UUID
		}
	}
	return peer
}

func (n *node) start() (s Started, err error) {
	if err := n.Start(); err != nil {
		return s, err
	}
	n.stopped = make(chan struct{})
	n.unread = n.Events()
	if !n.cfg.Unread {
		n.read(n.unread)
	}
	if n.cfg.Chatter > 0 {
		stopped := n.stopped
		n.running.Go(func() { n.chat(stopped) })
	}
	return Started{Endpoint: Endpoint(n.Zyre), Gossip: n.GossipEndpoint()}, nil
}

func (n *node) stop() error {
	if n.stopped == nil {
		return nil
	}
	close(n.stopped)
	n.Stop()
	n.running.Wait()
	n.stopped = nil
	return nil
}

// Endpoint returns the first endpoint of a node, or "".
func Endpoint(z *zyre.Zyre) string {
	var dump strings.Builder
	z.Dump(&dump)
	m := regexp.MustCompile(`endpoints \["([^"]*)"`).FindStringSubmatch(dump.String())
	if m == nil {
		return ""
	}
	return m[1]
}

// read reads the events of a run in the background.
func (n *node) read(events <-chan *zyre.Event) {
	n.running.Go(func() {
		for e := range events {
			n.note(e)
		}
	})
}

// mostHeaders is how many headers of a peer are reported: a hostile one has too many for a line.
const mostHeaders = 100

func (n *node) note(e *zyre.Event) {
	message := e.Type == "WHISPER" || e.Type == "SHOUT"
	if n.cfg.Tally && message && n.count(e) {
		return
	}
	if n.cfg.Echo && e.Type == "WHISPER" {
		n.Whisper(e.PeerUUID, e.Msg)
	}
	if e.Type == "ENTER" {
		n.mu.Lock()
		if t := n.tallies[e.PeerName]; t != nil {
			t.next = -1
		}
		n.mu.Unlock()
	}
	at, told := time.Now(), *e
	told.Frames = nil
	if len(told.Headers) > mostHeaders {
		told.Headers = nil
	}
	n.write(report{At: &at, Node: n.cfg.Name, Event: &told})
}

// Number returns the number that a message begins with, or -1.
func Number(msg []byte) int {
	end := 0
	for end < len(msg) && msg[end] >= '0' && msg[end] <= '9' {
		end++
	}
	number, err := strconv.Atoi(string(msg[:end]))
	if err != nil {
		return -1
	}
	return number
}

// Numbered makes the i-th message of a stream, of the given size.
func Numbered(i, size int) []byte {
	msg := fmt.Appendf(make([]byte, 0, max(size, 10)), "%010d", i)
	return msg[:max(size, len(msg))]
}

// count takes note of a numbered message, and reports whether it was one.
func (n *node) count(e *zyre.Event) bool {
	number := Number(e.Msg)
	if number < 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tallies[e.PeerName]
	if t == nil {
		t = &counted{next: -1}
		n.tallies[e.PeerName] = t
	}
	t.Count++
	t.Last = number
	switch {
	case t.next >= 0 && number > t.next:
		t.Missing += number - t.next
	case number < t.next:
		t.Twice++
	}
	t.next = max(t.next, number+1)
	return true
}

func (n *node) tally() map[string]Tally {
	n.mu.Lock()
	defer n.mu.Unlock()
	tallies := map[string]Tally{}
	for peer, t := range maps.All(n.tallies) {
		tallies[peer] = t.Tally
	}
	return tallies
}

// number sends numbered messages at a rate; it goes on counting where it was.
func (n *node) number(with arguments, stopped <-chan struct{}) {
	const step = 5 * time.Millisecond
	start, done := time.Now(), 0
	watch.Paced(step, func() (last bool) {
		for due := min(with.Count, 1+int(time.Since(start).Seconds()*float64(with.Rate))); done < due; done++ {
			switch {
			case with.Size > 0:
				n.Shout(with.Group, Numbered(n.sent, with.Size))
			case with.Group != "":
				n.Shouts(with.Group, "%d", n.sent)
			default:
				n.Whispers(with.Peer, "%d", n.sent)
			}
			n.sent++
		}
		select {
		case <-stopped:
			return true
		default:
			return done == with.Count
		}
	})
	n.write(report{Node: n.cfg.Name, Sent: n.sent})
}

// chat whispers a running number to each peer.
func (n *node) chat(stopped <-chan struct{}) {
	i := 0
	watch.Paced(n.cfg.Chatter, func() (last bool) {
		select {
		case <-stopped:
			return true
		default:
		}
		i++
		for _, p := range n.Peers() {
			n.Whispers(p, "%d", i)
		}
		return false
	})
}
