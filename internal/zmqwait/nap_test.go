package zmqwait

import (
	"testing"
	"time"
)

// A nap ends, whatever it is told.
func TestNap(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, 1, 50 * time.Microsecond, time.Millisecond} {
		Nap(d)
		if allocs := testing.AllocsPerRun(10, func() { Nap(min(d, time.Microsecond)) }); allocs > 0 {
			t.Errorf("Nap(%v): %v allocations, want 0", d, allocs)
		}
	}
}

// How long 50 µs are.
func BenchmarkNap(b *testing.B) {
	for b.Loop() {
		Nap(50 * time.Microsecond)
	}
}
