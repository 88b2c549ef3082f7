package hosts

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// members are peers that join the group g of a node, and ping, and read little or nothing of
// what it sends.
type members struct {
	Endpoint string // of the node
	Count    int
	Rate     int           // bytes that each reads in a second, 0 for none
	Life     time.Duration // after which each comes again, as another peer
	Limit    time.Duration // how long they go on
}

// run returns how many peers it was in all.
func (m *members) run() (peers int, err error) {
	end := time.Now().Add(m.Limit)
	type result struct {
		peers int
		err   error
	}
	results := make(chan result)
	for range m.Count {
		go func() {
			var r result
			for r.err == nil && time.Now().Before(end) {
				r.peers++
				r.err = m.member(min(m.Life, time.Until(end)))
			}
			results <- r
		}()
	}
	for range m.Count {
		r := <-results
		peers, err = peers+r.peers, errors.Join(err, r.err)
	}
	return peers, err
}

// member is one peer, for the time of its life.
func (m *members) member(life time.Duration) error {
	end := time.Now().Add(life)
	identity := make([]byte, 17)
	_, _ = rand.Read(identity)
	identity[0] = 1
	r, err := zmtp.Dial(m.Endpoint, identity)
	if err != nil {
		return err
	}
	defer r.Close()
	l, err := net.Listen("tcp", net.JoinHostPort(r.LocalAddr().(*net.TCPAddr).IP.String(), "0"))
	if err != nil {
		return err
	}
	defer l.Close()
	go m.read(l, end)
	next := foreign.Message{ID: foreign.HelloID, Sequence: 1, Endpoint: "tcp://" + l.Addr().String(), Groups: []string{"g"}, Status: 1, Name: "member"}
	watch.Paced(100*time.Millisecond, func() (last bool) {
		var header []byte
		if header, err = next.Append(nil); err == nil {
			_, err = r.Write(zmtp.AppendFrame(nil, header, false))
		}
		next = foreign.Message{ID: foreign.PingID, Sequence: next.Sequence + 1}
		return err != nil || time.Now().After(end)
	})
	return err
}

// read takes the connection that the node makes, and reads what it may until the end.
func (m *members) read(l net.Listener, end time.Time) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := zmtp.Accept(c); err != nil {
		return
	}
	const step = 50 * time.Millisecond
	watch.Paced(step, func() (last bool) {
		if m.Rate > 0 {
			_ = c.SetReadDeadline(time.Now().Add(step))
			_, _ = io.CopyN(io.Discard, c, int64(m.Rate)*int64(step)/int64(time.Second))
		}
		return time.Now().After(end)
	})
}

// progressOf follows what a node has had from another until a moment comes, and returns the
// longest time in which that was nothing.
func progressOf(n *child.Node, peer string, done func() bool) (longest time.Duration) {
	count, since := n.Tally(peer).Count, time.Now()
	watch.Paced(50*time.Millisecond, func() (last bool) {
		if now := n.Tally(peer).Count; now != count {
			count, since = now, time.Now()
		}
		longest = max(longest, time.Since(since))
		return done()
	})
	return longest
}

// Members of a group that ping and read nothing do not keep a node from shouting to the
// others: these wait for 2 s at the most, miss nothing, and have the full rate again as soon
// as members have exited. Those that read a little are waited for, and stay.
func TestNet_stalledMembers(t *testing.T) {
	const (
		rate, size = 1000, 4096 // rate as by NumberLarge
		limit      = 9 * time.Second
		mostGap    = 2 * time.Second
		mostMemory = 192 << 20
	)
	for name, c := range map[string]struct {
		members members
		exits   bool
	}{
		"nothing is read": {members{Count: 8, Life: 4 * time.Second}, true},
		"a little":        {members{Count: 2, Life: time.Minute, Rate: 256 << 10}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "x")
			cfg := child.Config{Stalled: 3 * time.Second, Tally: true}
			a, b := node(h[0], cfg), node(h[1], cfg)
			within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
			start, before := time.Now(), a.Process.Usage()
			c.members.Endpoint, c.members.Limit = a.Started.Endpoint, limit
			x := h[2].Start("members")
			var peers int
			done := make(chan error, 1)
			go func() { done <- x.Try("members", "", c.members, &peers) }()
			within(t, 5*time.Second, "the members have joined", func() bool { return a.Count("JOIN member g") >= c.members.Count }, a)
			messages := rate * int(limit/time.Second)
			a.NumberLarge("g", messages, size)
			var failed error
			longest := progressOf(b, "a", func() bool {
				select {
				case failed = <-done:
					return true
				default:
					return false
				}
			})
			got, exited := b.Tally("a"), a.Stats().Stalled
			grown := a.Process.Usage().Resident - before.Resident
			t.Logf("%d members, %d exited; b had %d of %d messages by then, and none for %v at the most; memory of a grew by %d kB",
				peers, exited, got.Count, messages, longest.Round(time.Millisecond), grown>>10)
			if failed != nil {
				t.Error(failed)
			}
			if longest > mostGap && c.exits {
				t.Errorf("b had nothing for %v, want at most %v", longest, mostGap)
			}
			if least := messages * 3 / 4; got.Count < least && c.exits {
				t.Errorf("b had %d messages, want at least %d", got.Count, least)
			}
			if grown > mostMemory {
				t.Errorf("memory grew by %d bytes, want at most %d", grown, mostMemory)
			}
			if (exited > 0) != c.exits {
				t.Errorf("%d members exited because they had stalled, want some: %t", exited, c.exits)
			}
			for _, e := range a.Since(start, "EXIT member") {
				if e.Reason != zyre.ReasonStalled && c.exits {
					t.Errorf("a member exited with the reason %q, want %q", e.Reason, zyre.ReasonStalled)
				}
			}
			within(t, 15*time.Second, "b has all messages", func() bool { return b.Tally("a").Count == messages }, b)
			if got := b.Tally("a"); got.Missing+got.Twice != 0 {
				t.Errorf("b got %+v, want none missing and none twice", got)
			}
			checkPairs(t, start, 0, a, b)
		})
	}
}
