package monitor

import (
	"encoding/json"
	"sync"
	"time"
)

// Stream holds a Model for any number of goroutines, and tells who follows it of changes.
// It keeps nothing for a viewer: each asks for what came after what it has seen, and is
// told how much of it is kept no longer.
type Stream struct {
	mu      sync.Mutex
	model   *Model
	now     func() time.Time
	version uint64 // of the picture
	picture *State // nil until somebody asks
	encoded []byte // the picture as JSON; likewise
	changed chan struct{}
	ended   bool
}

// NewStream makes a stream of a model.
func NewStream(m *Model, now func() time.Time) *Stream {
	return &Stream{model: m, now: now, changed: make(chan struct{})}
}

// Event changes the model by what happened; the picture follows at the next Sample.
func (s *Stream) Event(change func(m *Model, now time.Time)) { s.update(false, change) }

// Sample changes the model, and the picture with it: at the next look.
func (s *Stream) Sample(change func(m *Model, now time.Time)) { s.update(true, change) }

// End says that nothing will change any more.
func (s *Stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.changed)
	}
}

func (s *Stream) update(picture bool, change func(m *Model, now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	change(s.model, s.now())
	if picture {
		s.version++
		s.picture, s.encoded = nil, nil
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// News is what a viewer has not seen.
type News struct {
	Entries []Entry
	Missed  uint64 // entries before these that are kept no longer
	Version uint64 // of the picture
	Changed <-chan struct{}
	IsEnd   bool
}

// Since returns the entries after one, at most a number of them. Changed is closed when
// there is more.
func (s *Stream) Since(id uint64, limit int) News {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := News{Version: s.version, Changed: s.changed, IsEnd: s.ended}
	n.Entries, n.Missed = s.model.Entries(id, limit)
	return n
}

// LastEntry returns the ID of the newest entry.
func (s *Stream) LastEntry() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model.LastEntry()
}

// JSON returns the picture as JSON, and its version. The bytes are shared: they must not
// be changed.
func (s *Stream) JSON() (state []byte, version uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.encoded == nil {
		s.encoded, err = json.Marshal(s.state())
	}
	return s.encoded, s.version, err
}

// state returns the picture. It is called with mu held.
func (s *Stream) state() *State {
	if s.picture == nil {
		s.picture = s.model.State(s.now())
	}
	return s.picture
}

// State returns the picture, which is shared and must not be changed, and the newest
// entries.
func (s *Stream) State(entries int) (*State, []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state(), s.model.LastEntries(entries)
}

// Detail returns what is known of one node.
func (s *Stream) Detail(uuid string) (*Detail, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model.Detail(s.now(), uuid)
}
