package monitor

import "time"

// Limits of the time line.
const (
	maxEntries = 2000
	maxPayload = 1024 // bytes of a message that are kept
)

// The types of entries that are not events of a node.
const (
	EntryDropped  = "DROPPED"   // messages or beacons were dropped: Reason says why
	EntryOneSided = "ONE-SIDED" // one node sees another, which does not see it
	EntryHealed   = "HEALED"    // they see each other, or not any more
	EntryLog      = "LOG"       // a warning of the monitor's own node: Reason is its text
)

// Entry is one line of the time line. Everything in it is printable but Payload, which is
// as it came.
type Entry struct {
	ID      uint64    `json:"id"` // counts from 1
	Time    time.Time `json:"time"`
	Type    string    `json:"type"` // as of zyre.Event, or EntryDropped and so on
	Peer    string    `json:"peer,omitempty"`
	Name    string    `json:"name,omitempty"`
	Address string    `json:"address,omitempty"` // of ENTER and EXIT
	Group   string    `json:"group,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Other   string    `json:"other,omitempty"`   // the UUID of the node that does not see Peer
	Count   uint64    `json:"count,omitempty"`   // of what was dropped
	Frames  int       `json:"frames,omitempty"`  // of a message
	Bytes   int       `json:"bytes,omitempty"`   // of all its frames
	Payload []byte    `json:"payload,omitempty"` // of its first frame, the first 1,024 bytes
	Headers []Header  `json:"headers,omitempty"` // of ENTER

	// IsCut says that Payload is not all of a message.
	IsCut bool `json:"cut,omitempty"`
}

// Header is a header of a peer, printable.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// timeline keeps the last entries, in the order of their IDs.
type timeline struct {
	entries []Entry // a ring once it is full
	next    uint64  // ID of the next entry, less one
}

func (t *timeline) add(e Entry) {
	t.next++
	e.ID = t.next
	if len(t.entries) < maxEntries {
		t.entries = append(t.entries, e)
		return
	}
	t.entries[(e.ID-1)%maxEntries] = e
}

// since returns the entries after that with an ID, at most a number of them, and how many
// more there were that are kept no longer.
func (t *timeline) since(id uint64, limit int) (entries []Entry, missed uint64) {
	first := t.next - uint64(len(t.entries)) // ID before the oldest that is kept
	switch {
	case id > t.next:
		id = first // of another run
	case id < first:
		missed, id = first-id, first
	}
	for id < t.next && len(entries) < limit {
		entries = append(entries, t.entries[id%maxEntries])
		id++
	}
	return entries, missed
}

// last returns the newest entries, at most a number of them.
func (t *timeline) last(limit int) []Entry {
	entries, _ := t.since(t.next-uint64(min(limit, len(t.entries))), limit)
	return entries
}
