package zyre_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/go-zyre/zyre"
)

// newConnectedPeer makes a Peer, and the mailbox to which it is connected.
func newConnectedPeer(t *testing.T) (*zyre.Peer, *mailbox) {
	t.Helper()
	box := newMailbox(t, "tcp://127.0.0.1:*")
	p := zyre.NewPeer(context.Background(), "")
	t.Cleanup(p.Destroy)
	if err := p.Connect(from, box.endpoint); err != nil {
		t.Fatal(err)
	}
	return p, box
}

// A message to a group goes to those who have joined it and not left, once to each.
func TestGroup_Send(t *testing.T) {
	p, boxP := newConnectedPeer(t)
	q, boxQ := newConnectedPeer(t)
	g := zyre.NewGroup("hall")
	for _, step := range []struct {
		name     string
		do       func()
		toP, toQ bool
	}{
		{"empty", func() {}, false, false},
		{"one", func() { g.Join(p) }, true, false},
		{"twice", func() { g.Join(p) }, true, false},
		{"both", func() { g.Join(q) }, true, true},
		{"nobody", func() { g.Join(nil); g.Leave(nil) }, true, true},
		{"one left", func() { g.Leave(p) }, false, true},
		{"left twice", func() { g.Leave(p) }, false, true},
		{"back", func() { g.Join(p) }, true, true},
		{"disconnected", func() { q.Disconnect() }, true, false},
	} {
		step.do()
		m := zyre.NewZreMsg(zyre.ShoutID)
		m.Group, m.Content = "hall", []byte(step.name)
		g.Send(m)
		for _, to := range []struct {
			peer *zyre.Peer
			box  *mailbox
			want bool
		}{{p, boxP, step.toP}, {q, boxQ, step.toQ}} {
			// What comes after the shout shows whether it came.
			want := []string{"end"}
			if to.want {
				want = []string{step.name, "end"}
			}
			if err := to.peer.Send(newWhisper("end")); errors.Is(err, zyre.ErrNotRunning) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) == 0 || got[len(got)-1] != "end" {
				got = append(got, string(to.box.next().Content))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: received %q, want %q", step.name, got, want)
			}
		}
	}
}

// Any number of goroutines may use a Group at once.
func TestGroup_concurrent(t *testing.T) {
	p, _ := newConnectedPeer(t)
	q := zyre.NewPeer(t.Context(), "")
	g := zyre.NewGroup("hall")
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 50 {
				g.Join(p)
				g.Join(q)
				g.Send(newWhisper("x"))
				g.Leave(p)
			}
		})
	}
	users.Wait()
}
