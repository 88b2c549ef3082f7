//go:build unix

package zmqwait

import (
	"slices"
	"testing"
	"time"
)

// tries returns after which of a number of short parks s would spin, in vain.
func tries(s *spinner, parks int) (at []int) {
	for i := range parks {
		s.parked(shortPark/2, true)
		if s.due() {
			at = append(at, i)
			s.ended(false)
		}
	}
	return at
}

func TestSpinner_due(t *testing.T) {
	for _, c := range []struct {
		name string
		park time.Duration
		work bool
		want bool
	}{
		{"long park", shortPark, true, false},
		{"short park", shortPark - 1, true, true},
		{"deadline", 0, false, false},
	} {
		var s spinner
		if s.due() {
			t.Error("due before the first park")
		}
		s.parked(c.park, c.work)
		if got := s.due(); got != c.want {
			t.Errorf("after %s due is %v, want %v", c.name, got, c.want)
		}
	}
}

// Who spins in vain tries more and more rarely, but goes on trying.
func TestSpinner_vain(t *testing.T) {
	var s spinner
	if got, want := tries(&s, 20), []int{0, 2, 6, 14}; !slices.Equal(got, want) {
		t.Errorf("tries at %v, want %v", got, want)
	}
	tries(&s, 100*maxSkips)
	if got := tries(&s, 3*maxSkips); len(got) < 2 || len(got) > 3 {
		t.Errorf("%d tries in %d short parks, want 2 or 3", len(got), 3*maxSkips)
	}
	s.ended(true)
	s.ended(false)
	if got, want := tries(&s, 5), []int{1}; !slices.Equal(got, want) {
		t.Errorf("after success tries at %v, want %v", got, want)
	}
}

// Who always finds work parks now and then, or Go would not look at the network.
func TestSpinner_run(t *testing.T) {
	var s spinner
	for range 3 {
		s.parked(0, true)
		run := 0
		for ; s.due(); run++ {
			s.ended(true)
		}
		if run != maxRun {
			t.Errorf("%d spins between two parks, want %d", run, maxRun)
		}
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
	if s.pause.Current() != crowdedPause {
		t.Errorf("pause %v after a quiet time, want %v", s.pause.Current(), crowdedPause)
	}
}

func TestSpinner_try(t *testing.T) {
	later := time.Now().Add(time.Hour)
	looks := 0
	look := func(n int) func() bool { // finds work the nth time
		looks = 0
		return func() bool { looks++; return looks == n }
	}
	s := spinner{short: true, vain: 3}
	if !s.try(later, look(1)) || s.vain != 3 || !s.short {
		t.Errorf("work at once: %+v after %d looks, want it as before", s, looks)
	}
	if !s.try(time.Time{}, look(2)) || s.vain != 0 || s.run != 1 {
		t.Errorf("work in the second look: %+v after %d looks, want a run of 1", s, looks)
	}
	s.quiet = time.Time{} // on a busy machine the yield before may have been a long one
	if s.try(later, look(-1)) || looks < 2 || s.vain != 1 {
		t.Errorf("no work: %+v after %d looks, want one try in vain", s, looks)
	}

	s = spinner{short: true}
	var other spinner
	found := s.try(later, func() bool {
		if spinning.Load() {
			other = spinner{short: true}
			if other.try(later, look(2)) {
				t.Error("two spin at the same time")
			}
			return true
		}
		return false
	})
	if !found || looks != 1 {
		t.Errorf("found %v, the other looked %d times, want once", found, looks)
	}

	for _, c := range []struct {
		name  string
		s     spinner
		until time.Time
	}{
		{"a near deadline", spinner{short: true}, time.Now().Add(spinTime / 2)},
		{"a pause", spinner{short: true, quiet: later}, later},
		{"a long park", spinner{}, later},
	} {
		if c.s.try(c.until, look(1)) || looks != 0 || c.s.vain != 0 {
			t.Errorf("%s: looked %d times, want none", c.name, looks)
		}
	}
	if spinning.Load() {
		t.Error("spinning is still set")
	}
}

// A Wake that comes while the owner spins ends its Wait, and only that.
func TestWaiter_Wait_wakeWhileSpinning(t *testing.T) {
	_, _, w := newPull(t)
	w.spin = spinner{short: true}
	looks := 0
	err := w.Wait(func() bool {
		if looks++; looks == 2 {
			w.Wake()
		}
		return false
	}, time.Time{})
	if err != nil || looks != 2 {
		t.Errorf("Wait = %v after %d looks, want nil after 2", err, looks)
	}
	if got := w.state.Load(); got != awake {
		t.Errorf("state %d, want awake", got)
	}
	rouse(t, w, park(t, w)) // the next Wait parks
}
