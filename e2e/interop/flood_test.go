//go:build unix

package interop

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

const manyMessages = 70_000 // more than a sequence number counts

// numberedWhispers waits until a flood has ended with the message "n last", and returns
// the numbers that arrived.
func numberedWhispers(t *testing.T, r *watch.Log, last int) []int {
	t.Helper()
	var numbers []int
	end := r.Find(func(e *zyre.Event) bool {
		text, ok := strings.CutPrefix(string(e.Msg), "n ")
		if e.Type != "WHISPER" || !ok {
			return false
		}
		number, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s got %s %q, want a number", r.Name, e.Type, e.Msg)
		}
		numbers = append(numbers, number)
		return number == last
	})
	if end == nil {
		t.Fatalf("%s got %d messages of %d, and no more in %v; it saw:\n%s", r.Name, len(numbers),
			last+1, watch.Patience, r.Presence())
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
	checkWhole(t, "to zyre.js", numberedWhispers(t, js.Log, manyMessages-1))
	t.Logf("to zyre.js: %d in %v", manyMessages, time.Since(begin))
	r.CheckCount(t, "EXIT", 0)
	js.CheckCount(t, "EXIT", 0)
	if s := z.Stats(); s.Gaps != 0 {
		t.Errorf("Stats().Gaps = %d, want 0", s.Gaps)
	}
}

// To a zyre.js that has not shown how it counts, sequence number 65535 is out of
// sequence: it drops us, forgets what is on its way, and meets us again, once. The next
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
	watch.Reaches(t, "messages after the wrap", manyMessages, func() int {
		for range 20 { // goes on meanwhile, so that some are always on their way
			send()
		}
		return lastNumber(js.Log)
	})
	for range manyMessages {
		send()
	}
	numbers := numberedWhispers(t, js.Log, next-1)
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
		js.Count("EXIT"), js.Count("EXIT go"))
	r.CheckCount(t, "EXIT js", 1)
	r.CheckCount(t, "ENTER js", 2)
	js.CheckCount(t, "EXIT go", 1)
	js.CheckCount(t, "ENTER go", 2)
}

// lastNumber is the number in the last message, or -1.
func lastNumber(r *watch.Log) int {
	seen := r.Entries()
	text, _ := strings.CutPrefix(string(seen[len(seen)-1].Msg), "n ")
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	return -1
}
