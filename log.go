package zyre

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/fifo"
)

const (
	maxLogRecords    = 1000                   // that wait for the application's handler
	logLevelInterval = time.Second            // between two questions to it for its level
	logFlushTime     = 200 * time.Millisecond // that Stop gives it for the last records
)

// verboseLogger is what SetVerbose logs to.
func verboseLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// logQueue takes the records of a node to the application's slog.Handler, on a goroutine
// of its own. So the handler can be slow, and can call any method of the node, and the
// node never waits for it. The goroutine ends whenever there is nothing left to log.
type logQueue struct {
	handler  slog.Handler // the application's: only the goroutine calls it; nil: log nothing
	isAsked  bool         // the handler says which levels it takes
	warnings warnings
	lost     atomic.Uint64
	level    atomic.Int64 // the least level that the handler takes, when it was asked last
	askedAt  atomic.Int64 // when that was; in nanoseconds since madeAt
	madeAt   time.Time

	mu      sync.Mutex
	records fifo.Queue[logRecord]
	untold  uint64        // records lost since a record last said so
	ask     bool          // the handler is to be asked for its level
	idle    chan struct{} // closed when the goroutine ends; nil if there is none
}

type logRecord struct {
	to *logHandler
	slog.Record
	warning *warning // that it is; nil if it is none
}

// newLogger returns a logger to the application's handler, nil to log nothing, and the
// queue between them.
func newLogger(handler slog.Handler) (*slog.Logger, *logQueue) {
	q := &logQueue{madeAt: time.Now()}
	q.level.Store(int64(slog.LevelError + 1))
	if handler != nil && handler != slog.DiscardHandler {
		q.handler, q.isAsked = handler, true
		q.askedAt.Store(-2 * int64(logLevelInterval)) // not yet
		q.level.Store(int64(slog.LevelDebug))         // until the handler has said otherwise
	}
	return slog.New(&logHandler{queue: q, target: q.handler}), q
}

// newDefaultLogger returns the logger of a node that the application has given none:
// warnings go to slog.Default.
func newDefaultLogger() (*slog.Logger, *logQueue) {
	q := &logQueue{handler: defaultHandler{}, madeAt: time.Now()}
	q.level.Store(int64(slog.LevelWarn))
	return slog.New(&logHandler{queue: q, target: q.handler}), q
}

// defaultHandler hands records to slog.Default, as it is at that moment.
type defaultHandler struct {
	added []func(slog.Handler) slog.Handler // attributes and groups
}

func (h defaultHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && slog.Default().Handler().Enabled(ctx, level)
}

func (h defaultHandler) Handle(ctx context.Context, r slog.Record) error {
	target := slog.Default().Handler()
	for _, add := range h.added {
		target = add(target)
	}
	return target.Handle(ctx, r)
}

func (h defaultHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(t slog.Handler) slog.Handler { return t.WithAttrs(attrs) })
}

func (h defaultHandler) WithGroup(name string) slog.Handler {
	return h.with(func(t slog.Handler) slog.Handler { return t.WithGroup(name) })
}

func (h defaultHandler) with(add func(slog.Handler) slog.Handler) slog.Handler {
	return defaultHandler{append(slices.Clip(h.added), add)}
}

// push queues a record, unless too many wait already.
func (q *logQueue) push(r logRecord) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.records.Len() >= maxLogRecords {
		q.untold++
		q.lost.Add(1)
		return
	}
	q.records.Push(r)
	q.wake()
}

// wake starts the goroutine if it does not run; the caller holds mu.
func (q *logQueue) wake() {
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.run()
	}
}

// run hands over what waits, and ends.
func (q *logQueue) run() {
	for {
		q.mu.Lock()
		untold, ask := q.untold, q.ask
		q.untold, q.ask = 0, false
		more := q.records.Len() > 0
		var r logRecord
		if more {
			r = q.records.Pop()
		}
		if !more && untold == 0 && !ask {
			close(q.idle)
			q.idle = nil
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		if ask {
			q.level.Store(int64(leastLevel(q.handler)))
		}
		if more && !handle(r.to.resolve(), r.Record) && r.warning != nil {
			q.warnings.notTold(r.warning)
		}
		if untold > 0 {
			record := slog.NewRecord(time.Now(), slog.LevelWarn, "log records lost: the handler does not keep up", 0)
			record.AddAttrs(slog.Uint64("records", untold))
			handle(q.handler, record)
		}
	}
}

// handle gives a handler a record, and reports whether it takes records of that level.
func handle(h slog.Handler, r slog.Record) bool {
	ctx := context.Background()
	if !h.Enabled(ctx, r.Level) {
		return false
	}
	_ = h.Handle(ctx, r) // there is nobody to tell
	return true
}

// leastLevel returns the least of the levels that a node logs at and the handler takes.
func leastLevel(h slog.Handler) slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if h.Enabled(context.Background(), level) {
			return level
		}
	}
	return slog.LevelError + 1
}

// isEnabled reports whether the handler takes records of a level, as far as it was asked.
func (q *logQueue) isEnabled(level slog.Level) bool { return int64(level) >= q.level.Load() }

// followLevel has the handler asked again for its level, if that was not done of late. A
// change shows a moment later.
func (q *logQueue) followLevel() {
	now, asked := int64(time.Since(q.madeAt)), q.askedAt.Load()
	if q.isAsked && now-asked > int64(logLevelInterval) && q.askedAt.CompareAndSwap(asked, now) {
		q.mu.Lock()
		q.ask = true
		q.wake()
		q.mu.Unlock()
	}
}

// flush waits until all records have been handed over, but not long: the handler may
// itself be waiting for the node.
func (q *logQueue) flush() {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.NewTimer(logFlushTime)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// lostRecords returns how many records the handler did not get because it was too slow.
func (q *logQueue) lostRecords() uint64 { return q.lost.Load() }

// logHandler is the node's end of a logQueue. It calls nothing of the application's.
type logHandler struct {
	queue  *logQueue
	parent *logHandler // nil for the first
	attrs  []slog.Attr // added to the parent's,
	group  string      // or a group opened in it

	target slog.Handler // the application's, with all that was added; made by the goroutine
}

// Enabled takes all warnings, for Stats lists them whatever is logged.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	h.queue.followLevel()
	return h.queue.isEnabled(level) || level >= slog.LevelWarn
}

// Handle queues a record. A warning that comes again too soon is one of level Debug.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	q, of := h.queue, (*warning)(nil)
	q.followLevel()
	var untold uint64
	if r.Level >= slog.LevelWarn {
		var tell bool
		if of, untold, tell = q.warnings.note(r); !tell {
			of, r.Level = nil, slog.LevelDebug
		}
	}
	if q.handler == nil || !q.isEnabled(r.Level) {
		if of != nil {
			q.warnings.notTold(of)
		}
		return nil
	}
	c := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		c.AddAttrs(cloneAttr(a))
		return true
	})
	if untold > 0 {
		c.AddAttrs(slog.Uint64("repeated", untold))
	}
	q.push(logRecord{h, c, of})
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{queue: h.queue, parent: h, attrs: attrs}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{queue: h.queue, parent: h, group: name}
}

// resolve returns the application's handler with what was added; only the queue's
// goroutine calls it.
func (h *logHandler) resolve() slog.Handler {
	switch {
	case h.target != nil:
	case h.group != "":
		h.target = h.parent.resolve().WithGroup(h.group)
	default:
		h.target = h.parent.resolve().WithAttrs(h.attrs)
	}
	return h.target
}

// cloneAttr copies a slice in an attribute: the node may change its own meanwhile.
func cloneAttr(a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	v := reflect.ValueOf(a.Value.Any())
	if v.Kind() != reflect.Slice || v.IsNil() {
		return a
	}
	c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(c, v)
	return slog.Any(a.Key, c.Interface())
}
