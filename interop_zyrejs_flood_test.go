package zyre

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

const manyMessages = 70_000 // more than a sequence number counts

// numberedWhispers waits until a flood has ended with the message "n last", and returns
// the numbers that arrived.
func numberedWhispers(t *testing.T, r *recorder, last int) []int {
	t.Helper()
	var numbers []int
	end := r.find(func(e *Event) bool {
		text, ok := strings.CutPrefix(string(e.Msg), "n ")
		if e.Type != eventWhisper || !ok {
			return false
		}
		number, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s got %s %q, want a number", r.name, e.Type, e.Msg)
		}
		numbers = append(numbers, number)
		return number == last
	})
	if end == nil {
		t.Fatalf("%s got %d messages of %d, and no more in %v; it saw:\n%s", r.name, len(numbers),
			last+1, patience, presence(r))
	}
	return numbers
}

// checkWhole checks that numbers are 0, 1, … without a gap.
func checkWhole(t *testing.T, way string, numbers []int) {
	t.Helper()
	for i, n := range numbers {
		if n != i {
			t.Fatalf("%s: message %d is number %d", way, i, n)
		}
	}
}

// From zyre.js nothing is lost at the wrap of the sequence; its count has then shown
// that it wraps early, and nothing that we send is lost either.
func TestZyreJS_floodBothWays(t *testing.T) {
	z, r, js := pair(t, nil, zyrejs.Options{})
	begin := time.Now()
	must(t, "Whispers", js.Whispers(t.Context(), z.UUID(), []byte("n"), manyMessages))
	checkWhole(t, "from zyre.js", numberedWhispers(t, r, manyMessages-1))
	t.Logf("from zyre.js: %d in %v", manyMessages, time.Since(begin))

	begin = time.Now()
	for i := range manyMessages {
		z.Whispers(js.UUID(), "n %d", i)
	}
	checkWhole(t, "to zyre.js", numberedWhispers(t, js.recorder, manyMessages-1))
	t.Logf("to zyre.js: %d in %v", manyMessages, time.Since(begin))
	checkCount(t, r, "EXIT", 0)
	checkCount(t, js.recorder, "EXIT", 0)
	if s := z.Stats(); s.Gaps != 0 {
		t.Errorf("Stats().Gaps = %d, want 0", s.Gaps)
	}
}

// To a zyre.js that has not shown how it counts, sequence number 65535 is out of
// sequence: it drops us, forgets what is on its way, and meets us anew, once. The next
// time we wrap as it does.
func TestZyreJS_floodToStranger(t *testing.T) {
	z, r, js := pair(t, nil, zyrejs.Options{})
	next := 0
	send := func() {
		z.Whispers(js.UUID(), "n %d", next)
		next++
	}
	for range manyMessages {
		send()
	}
	eventuallyAll(t, "messages after the wrap", manyMessages, func() int {
		for range 20 { // goes on meanwhile, so that some are always on their way
			send()
		}
		return js.lastNumber()
	})
	for range manyMessages {
		send()
	}
	numbers := numberedWhispers(t, js.recorder, next-1)
	var gaps [][2]int // first and last of each
	for i, n := range numbers[1:] {
		if n != numbers[i]+1 {
			gaps = append(gaps, [2]int{numbers[i] + 1, n - 1})
		}
	}
	// HELLO is message 1, so number 65533 is the first that is lost; pings before it
	// take numbers of their own.
	if len(gaps) != 1 || gaps[0][0] > 65533 || gaps[0][0] < 65500 || gaps[0][1] < gaps[0][0] {
		t.Errorf("lost on the way to zyre.js: %v, want one stretch from 65533 on", gaps)
	}
	t.Logf("lost on the way to zyre.js: %v of %d; zyre.js: EXIT %d, EXIT go %d", gaps, next,
		js.count("EXIT"), js.count("EXIT go"))
	checkCount(t, r, "EXIT js", 1)
	checkCount(t, r, "ENTER js", 2)
	checkCount(t, js.recorder, "EXIT go", 1)
	checkCount(t, js.recorder, "ENTER go", 2)
}

// lastNumber is the number in the last message, or -1.
func (r *recorder) lastNumber() int {
	seen, _ := r.events()
	text, _ := strings.CutPrefix(string(seen[len(seen)-1].Msg), "n ")
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	return -1
}

// sequenceMailbox keeps the sequence numbers of what is sent.
type sequenceMailbox struct{ last uint16 }

func (m *sequenceMailbox) Send(header []byte, _ [][]byte) error {
	m.last = binary.BigEndian.Uint16(header[4:])
	return nil
}

func (m *sequenceMailbox) Close(time.Duration) error { return nil }

// What follows 65534 depends on how the peer counts, and on how it took the last wrap.
func TestPeer_wrap(t *testing.T) {
	now := time.Now()
	p := newPeer([16]byte{1}, "", now)
	box := &sequenceMailbox{}
	p.mailbox = box
	after65534 := func() uint16 {
		p.sent, p.sentAt = 65534, now
		if err := p.post(appendPlain(nil, PingID, 0), nil); err != nil {
			t.Fatalf("post = %v, want nil", err)
		}
		return box.last
	}
	for _, step := range []struct {
		what string
		do   func()
		want uint16
	}{
		{"at first", func() {}, 65535},
		{"begun anew much later", func() { p.strayed(now.Add(time.Hour), time.Second) }, 65535},
		{"begun anew", func() { p.strayed(now, time.Second) }, 0},
		{"content", func() {}, 0},
		{"begun anew again", func() { p.strayed(now, time.Second) }, 65535},
		{"and again", func() { p.strayed(now, time.Second) }, 0},
		{"begun anew twice", func() { p.strayed(now, time.Second); p.strayed(now, time.Second) }, 65535},
		{"shown modulo 65535", func() { p.modulo65535 = true }, 0},
		{"begun anew at that", func() { p.strayed(now, time.Second) }, 0},
		{"shown modulo 65536", func() { p.modulo65535, p.modulo65536 = false, true }, 65535},
	} {
		step.do()
		if got := after65534(); got != step.want {
			t.Errorf("%s: post after 65534 = %d, want %d", step.what, got, step.want)
		}
	}
}
