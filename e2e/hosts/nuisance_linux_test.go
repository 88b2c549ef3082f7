package hosts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// fickle is a peer of nodes that joins and leaves a group over and over.
type fickle struct {
	Nodes []string // endpoints
	Group string
	Limit time.Duration
}

// whims is what it did, and what it was told.
type whims struct {
	Joins     int
	Elections int // ELECT and LEADER
}

func (f *fickle) run() (w whims, err error) {
	p, err := foreignnet.Start(context.Background(), foreignnet.Options{Name: "fickle", Host: "10.78.0.3"})
	if err != nil {
		return w, err
	}
	defer p.Close()
	var conns []*foreignnet.Conn
	for _, at := range f.Nodes {
		c, err := p.Connect(at, foreignnet.ConnOptions{})
		if err == nil {
			err = c.SayHello()
		}
		if err != nil {
			return w, err
		}
		conns = append(conns, c)
	}
	end := time.Now().Add(f.Limit)
	watch.Paced(2*time.Millisecond, func() (last bool) {
		w.Joins++
		for i, id := range []uint8{foreign.JoinID, foreign.LeaveID} {
			for _, c := range conns {
				err = errors.Join(err, c.Say(foreign.Message{ID: id, Group: f.Group, Status: uint8(2*w.Joins + i - 1)}))
			}
		}
		return err != nil || time.Now().After(end)
	})
	w.Elections = p.CountMessages(func(r foreignnet.Received) bool {
		return r.Message.ID == foreign.ElectID || r.Message.ID == foreign.LeaderID
	})
	return w, err
}

// A stranger that joins and leaves a group over and over has its members elect a few times, and
// they go on to have the same leader.
func TestNet_strangersElections(t *testing.T) {
	const (
		limit = 5 * time.Second
		burst = 20
		rate  = 2 // a second
		each  = 2 // messages to a member: ELECT and LEADER
	)
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "x")
	cfg := lifelike(child.Config{Contest: "g"})
	a, b := node(h[0], cfg), node(h[1], cfg)
	within(t, 5*time.Second, "a leader", func() bool { return a.Count("LEADER") > 0 && b.Count("LEADER") > 0 }, a, b)
	start, x := time.Now(), h[2].Start("stranger")
	used := a.Process.CPU()
	var w whims
	do := fickle{[]string{a.Started.Endpoint, b.Started.Endpoint}, "g", limit}
	cost := costOf(t, a, mostMemory, func() error { return x.Try("fickle", "", do, &w) })
	took := time.Since(start)
	t.Logf("%d times joined and left, told %d ELECT and LEADER by two; elections delayed %d times; %v of processor time in %v; %v",
		w.Joins, w.Elections, a.Stats().Dropped.ElectionDelayed, a.Process.CPU()-used, took.Round(time.Millisecond), cost)
	if most := 2 * each * (burst + rate*int(took/time.Second+1)); w.Elections == 0 || w.Elections > most {
		t.Errorf("told %d ELECT and LEADER, want 1 to %d", w.Elections, most)
	}
	if a.Stats().Dropped.ElectionDelayed == 0 {
		t.Error("ElectionDelayed = 0, want those that waited counted")
	}
	for _, n := range []*child.Node{a, b} {
		if told := n.Since(start, "LEADER"); len(told) > 0 {
			t.Errorf("%s saw %d LEADER, want none: the leader is the same", n.Name, len(told))
		}
	}
	checkTalk(t, a, b)
	checkPairs(t, start, 0, a, b)
}

// nuisance is a stranger that does again and again what a node warns of.
type nuisance struct {
	Node, Kind string
	Limit      time.Duration
}

// nuisances are what it does on a connection of its own.
var nuisances = map[string]func(hello foreign.Message) []foreign.Message{
	"messages lost": func(hello foreign.Message) []foreign.Message {
		return []foreign.Message{hello, {ID: foreign.PingID, Sequence: 7}, hello, {ID: foreign.PingID, Sequence: 9}}
	},
	"HELLO again and again": func(hello foreign.Message) []foreign.Message {
		return slices.Repeat([]foreign.Message{hello}, 30)
	},
	"no HELLO": func(foreign.Message) []foreign.Message {
		return slices.Repeat([]foreign.Message{{ID: foreign.PingID, Sequence: 1}}, 30)
	},
	"an endpoint of loopback": func(hello foreign.Message) []foreign.Message {
		hello.Endpoint = "tcp://127.0.0.1:80"
		return []foreign.Message{hello}
	},
	"routing ids": nil,
}

// run returns how many messages it has sent.
func (n *nuisance) run() (sent int, err error) {
	end := time.Now().Add(n.Limit)
	var conns []zmtp.Raw
	defer func() {
		for _, r := range conns {
			r.Close()
		}
	}()
	for i := 0; time.Now().Before(end); i++ {
		identity := fmt.Appendf(nil, "\x01%016d", i)
		messages := []foreign.Message{{ID: foreign.PingID, Sequence: 1}}
		if do := nuisances[n.Kind]; do != nil {
			endpoint := fmt.Sprint("tcp://10.78.0.3:", 20_000+i%10_000)
			messages = do(foreign.Message{ID: foreign.HelloID, Sequence: 1, Endpoint: endpoint, Name: fmt.Sprint("stranger", i)})
		} else {
			identity = append(identity, "too long"...)
		}
		r, err := zmtp.Dial(n.Node, identity)
		var said []byte
		for _, m := range messages {
			header, err1 := m.Append(nil)
			err = errors.Join(err, err1)
			said = zmtp.AppendFrame(said, header, false)
		}
		if err != nil {
			return sent, err
		}
		conns = append(conns, r)
		if _, err := r.Write(said); err == nil { // or it was ended, with others of this host
			sent += len(messages)
		}
	}
	return sent, nil
}

// What a stranger does again and again is warned of a few times.
func TestNet_strangersWarnings(t *testing.T) {
	const limit, apart = 4 * time.Second, 10
	for kind := range nuisances {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "x")
			a, b := node(h[0], lifelike(child.Config{})), node(h[1], lifelike(child.Config{}))
			within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
			start, x, sent := time.Now(), h[2].Start("stranger"), 0
			do := nuisance{a.Started.Endpoint, kind, limit}
			cost := costOf(t, a, mostMemory, func() error { return x.Try("annoy", "", do, &sent) })
			warnings := map[string]int{}
			for _, line := range a.Process.Lines("level=WARN") {
				_, text, _ := strings.Cut(line, `msg="`)
				text, _, _ = strings.Cut(text, `"`)
				warnings[text]++
			}
			t.Logf("%d messages; warned %v, logged %d lines; %v", sent, warnings, logged(a, "level="), cost)
			for text, n := range warnings {
				if n > apart+1 {
					t.Errorf("warned %q %d times, want at most %d", text, n, apart+1)
				}
			}
			checkTalk(t, a, b)
			checkPairs(t, start, 0, a, b)
		})
	}
}
