package zyre

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// newSharingBench is a node and a peer that both share their view.
func newSharingBench(t *testing.T) *zreBench {
	t.Helper()
	b := newZREBench(t)
	b.z.sharing = newSharing(true)
	b.hear(&ZreMsg{id: HelloID, Endpoint: stateEndpoint, Name: "peer", Headers: map[string]string{viewHeader: viewVersion}})
	b.hearID(PingOkID)
	b.port.forget()
	return b
}

// hearFrame has the peer send a WHISPER of one frame.
func (b *zreBench) hearFrame(frame []byte) {
	b.hear(&ZreMsg{id: WhisperID, Frames: [][]byte{frame}, Content: frame})
}

// ask asks the peer for its view.
func (b *zreBench) ask() *question {
	q := &question{peer: stateUUID, nonce: [8]byte{1}, answered: make(chan struct{})}
	b.z.askView(b.now, q)
	return q
}

// result is what became of a question, nil for one that is open.
func (q *question) result() error {
	select {
	case <-q.answered:
		return q.err
	default:
		return errOpen
	}
}

var errOpen = errors.New("open")

// A question is answered within the node: once a second to one peer, and not at all if the
// peer takes nothing, or the question is more than one.
func TestShare_answers(t *testing.T) {
	question := appendViewHead(nil, viewQuestion, [8]byte{7})
	for _, c := range []struct {
		name  string
		do    func(b *zreBench)
		sent  int // answers
		bad   uint64
		event bool
	}{
		{"a question", func(b *zreBench) { b.hearFrame(question) }, 1, 0, false},
		{"many at once", func(b *zreBench) {
			for range 10 {
				b.hearFrame(question)
			}
		}, viewBurst, 10 - viewBurst, false},
		{"more a second later", func(b *zreBench) {
			for range 10 {
				b.hearFrame(question)
			}
			b.now = b.now.Add(time.Second)
			b.hearFrame(question)
			b.hearFrame(question)
		}, viewBurst + 1, 10 - viewBurst + 1, false},
		{"one with a body", func(b *zreBench) { b.hearFrame(append(slices.Clone(question), 0)) }, 0, 1, false},
		{"the limit for all", func(b *zreBench) {
			for b.z.sharing.answers.Take(b.now) {
			}
			b.hearFrame(question)
		}, 0, 1, false},
		{"a busy peer", func(b *zreBench) {
			b.peer().backlog.pingOKsOwed = 1
			b.hearFrame(question)
		}, 0, 1, false},
		{"an answer nobody asked for", func(b *zreBench) { b.hearFrame(appendViewHead(nil, viewAnswer, [8]byte{7})) }, 0, 0, true},
		{"a message", func(b *zreBench) { b.hearFrame([]byte("hello")) }, 0, 0, true},
		{"a question to who does not share", func(b *zreBench) {
			b.z.sharing = newSharing(false)
			b.hearFrame(question)
		}, 0, 0, true},
		{"two frames", func(b *zreBench) {
			b.hear(&ZreMsg{id: WhisperID, Frames: [][]byte{question, question}, Content: question})
		}, 0, 0, true},
	} {
		b := newSharingBench(t)
		c.do(b)
		sent := 0
		for _, m := range b.port.sent {
			if m == "WHISPER" {
				sent++
			}
		}
		if sent != c.sent || b.z.counters.viewsSent != uint64(c.sent) || b.z.counters.viewsRefused != c.bad {
			t.Errorf("%s: answers = %d, counted %d, refused %d, want %d and %d", c.name, sent,
				b.z.counters.viewsSent, b.z.counters.viewsRefused, c.sent, c.bad)
		}
		if event := slices.Contains(b.port.events, EventWhisper); event != c.event {
			t.Errorf("%s: WHISPER event = %v, want %v", c.name, event, c.event)
		}
		if n := b.z.counters.whispersSent; n != 0 {
			t.Errorf("%s: messages of the application = %d, want 0", c.name, n)
		}
	}
}

// A question ends by its answer, and by what makes an answer impossible.
func TestShare_questions(t *testing.T) {
	answer := append(appendViewHead(nil, viewAnswer, [8]byte{1}), goldenViewBytes...)
	for _, c := range []struct {
		name string
		do   func(b *zreBench) *question
		want error
	}{
		{"answered", func(b *zreBench) *question { q := b.ask(); b.hearFrame(answer); return q }, nil},
		{"malformed", func(b *zreBench) *question { q := b.ask(); b.hearFrame(answer[:len(answer)-1]); return q }, errBadView},
		{"another question's answer", func(b *zreBench) *question {
			q := b.ask()
			b.hearFrame(append(appendViewHead(nil, viewAnswer, [8]byte{2}), goldenViewBytes...))
			return q
		}, errOpen},
		{"an answer of another peer", func(b *zreBench) *question {
			q := b.ask()
			q.peer = [16]byte{99}
			b.hearFrame(answer)
			return q
		}, errOpen},
		{"withdrawn", func(b *zreBench) *question {
			q := b.ask()
			b.z.withdrawQuestion(q)
			b.hearFrame(answer)
			return q
		}, errOpen},
		{"the peer exits", func(b *zreBench) *question { q := b.ask(); b.hearID(GoodbyeID); return q }, ErrUnknownPeer},
		{"no such peer", func(b *zreBench) *question { b.hearID(GoodbyeID); return b.ask() }, ErrUnknownPeer},
		{"the peer does not share", func(b *zreBench) *question { delete(b.peer().headers, viewHeader); return b.ask() }, ErrNotShared},
		{"the peer has another version", func(b *zreBench) *question { b.peer().headers[viewHeader] = "2"; return b.ask() }, ErrNotShared},
		{"the peer is busy", func(b *zreBench) *question { b.peer().backlog.pingOKsOwed = 1; return b.ask() }, ErrPushedBack},
	} {
		b := newSharingBench(t)
		q := c.do(b)
		if got := q.result(); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if wrote := slices.Contains(b.port.sent, "WHISPER"); wrote && (errors.Is(c.want, ErrNotShared) || errors.Is(c.want, ErrPushedBack)) {
			t.Errorf("%s: a question was sent", c.name)
		}
		if slices.Contains(b.port.events, EventWhisper) {
			t.Errorf("%s: a WHISPER event, want none", c.name)
		}
		if n := len(b.z.sharing.questions); n != 0 && !errors.Is(c.want, errOpen) {
			t.Errorf("%s: %d questions are left", c.name, n)
		}
	}
}
