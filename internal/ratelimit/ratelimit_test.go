package ratelimit

import (
	"testing"
	"time"
)

func TestBucket_Take(t *testing.T) {
	start := time.Unix(1e9, 0)
	b := Bucket{Rate: 2, Burst: 3}
	for _, test := range []struct {
		after time.Duration // the start
		want  int           // of how many tokens there are
	}{
		{0, 3}, // full at first
		{400 * time.Millisecond, 0},
		{500 * time.Millisecond, 1},
		{time.Second, 1},
		{time.Hour, 3}, // never more than the burst
	} {
		got := 0
		for b.Take(start.Add(test.after)) {
			got++
		}
		if got != test.want {
			t.Errorf("after %v: took %d tokens, want %d", test.after, got, test.want)
		}
		if at := start.Add(test.after); b.Last() != at {
			t.Errorf("Last() = %v, want %v", b.Last(), at)
		}
	}
}
