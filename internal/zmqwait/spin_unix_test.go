//go:build unix

package zmqwait

import (
	"slices"
	"testing"
	"time"
)

// tries returns after which of a number of short parks s would spin, if each spin ends
// with found.
func tries(s *spinner, parks int, found bool) (at []int) {
	for i := range parks {
		s.parked(shortPark / 2)
		if s.due() {
			at = append(at, i)
			s.ended(found)
		}
	}
	return at
}

func TestSpinner_due(t *testing.T) {
	var s spinner
	if s.due() {
		t.Error("spins before the first park")
	}
	s.parked(shortPark)
	if s.due() {
		t.Error("spins after a long park")
	}
	if got, want := tries(&s, 20, false), []int{0, 2, 6, 14}; !slices.Equal(got, want) {
		t.Errorf("in vain it tries at %v, want %v", got, want)
	}
	tries(&s, 100*maxSkips, false)
	if got := tries(&s, 3*maxSkips, false); len(got) < 2 {
		t.Errorf("%d tries in %d short parks, want some", len(got), 3*maxSkips)
	}
	for !s.due() {
		s.parked(0)
	}
	s.ended(true)
	if !s.due() {
		t.Error("does not spin after a spin that found work")
	}
	s.ended(false)
	if got, want := tries(&s, 5, false), []int{1}; !slices.Equal(got, want) {
		t.Errorf("in vain after success it tries at %v, want %v", got, want)
	}
}

func TestSpinner_crowded(t *testing.T) {
	var s spinner
	now := time.Now()
	want := crowdedPause
	for range 20 {
		s.crowded(now)
		if got := s.quiet.Sub(now); got != want {
			t.Fatalf("leaves the processor to others for %v, want %v", got, want)
		}
		now = s.quiet.Add(time.Millisecond)
		want = min(2*want, maxCrowdedPause)
	}
	s.crowded(s.quiet.Add(2 * maxCrowdedPause))
	if s.pause != crowdedPause {
		t.Errorf("pause %v after a quiet time, want %v", s.pause, crowdedPause)
	}
}

func TestSpinner_spin(t *testing.T) {
	later := time.Now().Add(time.Hour)
	s := spinner{short: true}
	looks := 0
	if !s.spin(later, func() bool { looks++; return true }) || looks != 1 {
		t.Errorf("no work found in %d looks, want it in the first", looks)
	}
	other := spinner{short: true}
	s.spin(time.Time{}, func() bool {
		if other.spin(later, func() bool { return true }) {
			t.Error("two spin at the same time")
		}
		return true
	})
	if s.spin(later, func() bool { return false }) {
		t.Error("work found where there is none")
	}
	s = spinner{short: true}
	if s.spin(time.Now(), func() bool { t.Error("looks for work past the deadline"); return true }) {
		t.Error("work found past the deadline")
	}
	s = spinner{short: true, quiet: later}
	if s.spin(later, func() bool { return true }) {
		t.Error("spins while others want the processor")
	}
	if spinning.Load() {
		t.Error("spinning is still set")
	}
}
