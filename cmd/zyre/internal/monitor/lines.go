package monitor

import (
	"context"
	"time"
)

// linesInterval is the time between two looks at the stream.
const linesInterval = 100 * time.Millisecond

// Missed is what a reader of lines is told in place of entries that it was too slow for.
type Missed struct {
	Type  string    `json:"type"` // "MISSED"
	Time  time.Time `json:"time"`
	Count uint64    `json:"count"`
}

// Lines gives write each entry of the time line, until the stream or ctx ends, or write
// fails. If write is slow, entries are left out, and a Missed takes their place.
func Lines(ctx context.Context, s *Stream, write func(v any) error) error {
	seen := uint64(0)
	tick := time.NewTicker(linesInterval)
	defer tick.Stop()
	for {
		news := s.Since(seen, maxEntries)
		if news.Missed > 0 {
			if err := write(Missed{"MISSED", time.Now().UTC(), news.Missed}); err != nil {
				return err
			}
		}
		for i := range news.Entries {
			e := &news.Entries[i]
			e.Time = e.Time.UTC()
			if err := write(e); err != nil {
				return err
			}
			seen = e.ID
		}
		if news.IsEnd {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C: // many at a time
		}
		if len(news.Entries) < maxEntries {
			select {
			case <-ctx.Done():
				return nil
			case <-news.Changed:
			}
		}
	}
}
