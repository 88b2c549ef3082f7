package watch

import (
	"fmt"
	"testing"
	"time"
)

// lookInterval is the time between two looks at something that has no event.
const lookInterval = 5 * time.Millisecond

// Until waits until something holds.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if took, ok := until(Patience, holds); !ok {
		t.Fatalf("%s: not within %v", what, took)
	}
}

// Within waits until something holds and returns how long that took. If it takes longer
// than it may, the test fails, and goes on if it held at last. What the logs say is
// shown then.
func Within(t testing.TB, limit time.Duration, what string, holds func() bool, logs ...fmt.Stringer) time.Duration {
	t.Helper()
	return WithinWithout(t, limit, func() time.Duration { return 0 }, what, holds, logs...)
}

// WithinWithout is Within, where some of the time does not count.
func WithinWithout(t testing.TB, limit time.Duration, without func() time.Duration, what string, holds func() bool, logs ...fmt.Stringer) time.Duration {
	t.Helper()
	took, ok := until(2*limit+Patience, holds)
	switch {
	case !ok:
		t.Fatalf("%s: not within %v\n%s", what, took, texts(logs))
	case took-without() > limit:
		t.Errorf("%s: after %v, of which %v do not count, want %v\n%s", what, took, without(), limit, texts(logs))
	default:
		t.Logf("%s: after %v", what, took)
	}
	return took
}

func texts(logs []fmt.Stringer) (all string) {
	for _, l := range logs {
		all += l.String() + "\n"
	}
	return all
}

func until(limit time.Duration, holds func() bool) (took time.Duration, ok bool) {
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	for start := time.Now(); ; <-looks.C {
		ok = holds()
		took = time.Since(start).Round(time.Millisecond)
		if ok || took > limit {
			return took, ok
		}
	}
}

// Reaches waits until a count has reached what is wanted, as long as it changes.
func Reaches(t testing.TB, what string, want int, count func() int) {
	t.Helper()
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	for got, since := count(), time.Now(); got < want; <-looks.C {
		if now := count(); now != got {
			got, since = now, time.Now()
		} else if time.Since(since) > Patience {
			t.Fatalf("%s: %d of %d, and no more in %v", what, got, want, Patience)
		}
	}
}

// Paced does something again and again, at an interval, until it says that it was the
// last time. It is for what sends at a rate.
func Paced(interval time.Duration, do func() (last bool)) {
	pace := time.NewTicker(interval)
	defer pace.Stop()
	for ; !do(); <-pace.C {
	}
}
