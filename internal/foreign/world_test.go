package foreign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is the port of a model in a test: it keeps what the model does as text. Peers
// are called by the letter that their UUID is made of, and live at "tcp://letter:1".
type world struct {
	t       *testing.T
	m       *Model
	now     time.Time
	quiet   bool // keep only the last message
	log     []string
	sent    []Message
	wire    [][][]byte // the same as frames
	refuses map[string]bool
}

func newWorld(t *testing.T, kind Kind) *world {
	return newWorldOf(t, Config{Kind: kind})
}

func newWorldOf(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	if cfg.UUID == [16]byte{} {
		cfg.UUID, cfg.Endpoint, cfg.Name = uuidOf("M"), endpointOf("M"), "model"
	}
	m, err := New(cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	return w
}

func uuidOf(letter string) [16]byte {
	return [16]byte([]byte(strings.Repeat(letter, 16)))
}

func endpointOf(letter string) string { return "tcp://" + letter + ":1" }

func (w *world) add(format string, args ...any) {
	w.log = append(w.log, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (w *world) Dial(peer [16]byte, endpoint string) error {
	w.add("dial %s %s", peer[:1], endpoint)
	if w.refuses[endpoint] {
		return errors.New("refused")
	}
	return nil
}

func (w *world) Close(peer [16]byte) { w.add("close %s", peer[:1]) }

func (w *world) Send(peer [16]byte, header []byte, frames [][]byte) {
	m, err := Parse(header)
	if err != nil {
		w.t.Errorf("the model sent %x: %v", header, err)
	}
	m.Content = frames
	if w.quiet {
		w.sent = append(w.sent[:0], m)
		return
	}
	w.sent = append(w.sent, m)
	w.wire = append(w.wire, append([][]byte{slices.Clone(header)}, frames...))
	w.add("%s#%d to %s", commandName(m.ID), m.Sequence, peer[:1])
}

func (w *world) Event(e Event) {
	if w.quiet {
		return
	}
	if e.Type == Crashed {
		w.add("CRASH")
		return
	}
	w.add("%s %s %s%s", e.Type, e.Peer[:1], e.Group, slices.Concat(e.Content...))
}

func commandName(id uint8) string {
	return [...]string{"", "hello", "whisper", "shout", "join", "leave", "ping", "ping-ok", "elect", "leader", "goodbye"}[id]
}

// hear gives the model a message of a peer.
func (w *world) hear(letter string, m Message) {
	w.t.Helper()
	frames, err := m.Frames()
	if err != nil {
		w.t.Fatal(err)
	}
	w.raw(letter, frames...)
}

func (w *world) raw(letter string, frames ...[]byte) {
	w.m.Message(w.now, append([]byte{1}, strings.Repeat(letter, 16)...), frames[0], frames[1:])
}

func (w *world) hello(letter string, sequence uint16, groups ...string) {
	w.t.Helper()
	w.hear(letter, Message{
		ID: HelloID, Sequence: sequence, Endpoint: endpointOf(letter), Name: letter, Groups: groups, Status: uint8(len(groups)),
	})
}

func (w *world) whisper(letter string, sequence uint16, content ...string) {
	w.t.Helper()
	m := Message{ID: WhisperID, Sequence: sequence}
	for _, c := range content {
		m.Content = append(m.Content, []byte(c))
	}
	w.hear(letter, m)
}

func (w *world) command(letter string, id uint8, sequence uint16) {
	w.t.Helper()
	w.hear(letter, Message{ID: id, Sequence: sequence})
}

func (w *world) beacon(letter string) { w.m.Beacon(w.now, uuidOf(letter), endpointOf(letter)) }

// meet lets a peer enter, and forgets what happened thereby.
func (w *world) meet(letter string, groups ...string) {
	w.t.Helper()
	w.hello(letter, 1, groups...)
	if !w.m.HasEntered(uuidOf(letter)) {
		w.t.Fatalf("%s has not entered: %q", letter, w.log)
	}
	w.log = nil
}

// pass lets time pass, in steps that a driver would make.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(100 * time.Millisecond)
		w.m.Tick(w.now)
	}
}

// takeLog returns what happened since the last call.
func (w *world) takeLog() string {
	s := strings.Join(w.log, ", ")
	w.log = nil
	return s
}
