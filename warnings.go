package zyre

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
)

// A warning is logged once. If it comes again it is logged again after a pause, with how
// often it came, and each pause is twice as long as the one before.
const (
	warningPause     = time.Minute
	warningPauseMost = time.Hour
	maxSameWarnings  = 10 // that differ only in whom they are about; further ones count as one
)

// Warning is something that an operator should act on, as [Stats] lists it. What it says
// is in the log as well, at level Warn. Libzyre has nothing like it.
type Warning struct {
	Text  string    // as in the log, on one line; what others have sent is quoted
	Since time.Time // when it came first
	Last  time.Time // when it came last
	Count uint64    // how often it came
}

// warnings are those that a node has given since Start. Any goroutine may use them.
type warnings struct {
	mu    sync.Mutex
	given map[string]*warning // by message, and whom it is about
	kinds map[string]int      // how many of these have a message
}

type warning struct {
	Warning
	message string
	untold  uint64          // how often it came since it was logged last
	toldAt  time.Time       // when that was; zero: never
	pause   backoff.Backoff // until it is logged again
}

// reset forgets all.
func (w *warnings) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given, w.kinds = nil, nil
}

// note counts a warning, and reports whether it is time to log it, and how often it came
// since it was logged last.
func (w *warnings) note(r slog.Record) (of *warning, untold uint64, tell bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of = w.find(r)
	of.Count++
	of.Last = r.Time
	if !of.toldAt.IsZero() && r.Time.Sub(of.toldAt) < of.pause.Current() {
		of.untold++
		return of, 0, false
	}
	untold = of.untold
	of.untold, of.toldAt = 0, r.Time
	of.pause.Next()
	return of, untold, true
}

// find returns the warning that a record belongs to.
func (w *warnings) find(r slog.Record) *warning {
	if w.given == nil {
		w.given, w.kinds = map[string]*warning{}, map[string]int{}
	}
	key := warningKey(r)
	if of := w.given[key]; of != nil {
		return of
	}
	if w.kinds[r.Message] >= maxSameWarnings && !w.forgetOld(r) {
		key = r.Message
		if of := w.given[key]; of != nil {
			return of
		}
	}
	of := &warning{
		Warning: Warning{Text: warningText(r), Since: r.Time}, message: r.Message,
		pause: backoff.Backoff{Min: warningPause, Max: warningPauseMost},
	}
	w.given[key] = of
	w.kinds[r.Message]++
	return of
}

// forgetOld makes room for another warning with the same message, and reports whether it
// found one that has not come for long.
func (w *warnings) forgetOld(r slog.Record) bool {
	for key, of := range w.given {
		if of.message == r.Message && r.Time.Sub(of.Last) >= warningPauseMost {
			delete(w.given, key)
			w.kinds[r.Message]--
			return true
		}
	}
	return false
}

// notTold notes that the application's handler did not take a warning.
func (w *warnings) notTold(of *warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of.toldAt = time.Time{}
	of.pause.Reset()
}

// list returns the warnings, the first one first.
func (w *warnings) list() (all []Warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range w.given {
		all = append(all, of.Warning)
	}
	slices.SortFunc(all, func(a, b Warning) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Text, b.Text))
	})
	return all
}

// aboutWhom are the attributes that tell apart whom a warning is about.
var aboutWhom = []string{"peer", "endpoint", "address", "interface", "name", "key", "routing_id", "setting"}

// warningKey is what two records of one warning have in common.
func warningKey(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(aboutWhom, a.Key) {
			b.WriteString("\x00" + a.Value.String())
		}
		return true
	})
	return b.String()
}

// warningText is a record for people to read.
func warningText(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		v := a.Value.String()
		if q := strconv.Quote(v); len(q) != len(v)+2 || v == "" || strings.ContainsAny(v, " =") {
			v = q
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, v)
		return true
	})
	return b.String()
}
