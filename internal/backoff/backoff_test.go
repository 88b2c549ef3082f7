package backoff

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestBackoff_Next(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		b    Backoff
		want []time.Duration
	}{
		"doubles":     {Backoff{Min: 100 * ms, Max: time.Second}, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second}},
		"exact limit": {Backoff{Min: 250 * ms, Max: time.Second}, []time.Duration{250 * ms, 500 * ms, time.Second, time.Second}},
		"Min is Max":  {Backoff{Min: ms, Max: ms}, []time.Duration{ms, ms, ms}},
		"Max too low": {Backoff{Min: 10 * ms, Max: ms}, []time.Duration{10 * ms, 10 * ms, 10 * ms}},
		"no Max":      {Backoff{Min: 10 * ms}, []time.Duration{10 * ms, 10 * ms}},
		"no Min":      {Backoff{Max: time.Second}, []time.Duration{0, 0}},
		"zero value":  {Backoff{}, []time.Duration{0, 0}},
		"huge":        {Backoff{Min: math.MaxInt64 / 3, Max: math.MaxInt64}, []time.Duration{math.MaxInt64 / 3, math.MaxInt64 / 3 * 2, math.MaxInt64, math.MaxInt64}},
		"huge Min":    {Backoff{Min: math.MaxInt64, Max: time.Second}, []time.Duration{math.MaxInt64, math.MaxInt64}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := test.b
			for range 2 {
				if got := b.Current(); got != 0 {
					t.Errorf("Current() before Next = %v, want 0", got)
				}
				var got []time.Duration
				for range test.want {
					got = append(got, b.Next())
					if b.Current() != got[len(got)-1] {
						t.Errorf("Current() = %v after Next() = %v", b.Current(), got[len(got)-1])
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("Next() = %v, want %v", got, test.want)
				}
				b.Reset()
			}
		})
	}
}

func TestBackoff_Next_changed(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 8 * time.Second}
	b.Next()
	b.Next()
	b.Min = 5 * time.Second
	if got := b.Next(); got != 5*time.Second {
		t.Errorf("Next() with a greater Min = %v, want it", got)
	}
	b.Max = 2 * time.Second
	b.Min = time.Second
	if got := b.Next(); got != 2*time.Second {
		t.Errorf("Next() with a smaller Max = %v, want it", got)
	}
}
