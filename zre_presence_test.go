package zyre

import (
	"testing"
	"time"
)

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name                      string
		timeouts                  timeouts
		verify, answer, pingAfter time.Duration
	}{
		{"the defaults", timeouts{5 * time.Second, 10 * time.Second, 30 * time.Second}, time.Second, time.Second, 5 * time.Second},
		{"short", timeouts{100 * time.Millisecond, time.Second, time.Second}, 100 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond},
		{"silent before evasive", timeouts{5 * time.Second, 3 * time.Second, 30 * time.Second}, time.Second, time.Second, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v, a, p := c.timeouts.verify(), c.timeouts.answer(), c.timeouts.pingAfter(); v != c.verify || a != c.answer || p != c.pingAfter {
				t.Errorf("verify, answer, pingAfter = %v, %v, %v, want %v, %v, %v", v, a, p, c.verify, c.answer, c.pingAfter)
			}
		})
	}
}

// Without a ping that has gone unanswered for a while, no silence is reported.
func TestPresence_unanswered(t *testing.T) {
	limits := timeouts{evasive: 5 * time.Second, silent: 10 * time.Second, expired: 30 * time.Second}
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name            string
		pingedAfter     time.Duration // 0: never
		at              time.Duration
		evasive, silent bool
	}{
		{"not pinged", 0, 20 * time.Second, false, false},
		{"pinged just now", 20 * time.Second, 20 * time.Second, false, false},
		{"pinged early, silent for too short", time.Second, 4 * time.Second, false, false},
		{"evasive", 5 * time.Second, 6 * time.Second, true, false},
		{"evasive and silent", 5 * time.Second, 10 * time.Second, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{heardAt: start}
			if c.pingedAfter > 0 {
				pr.pinged(start.Add(c.pingedAfter))
			}
			now := start.Add(c.at)
			if e, s := pr.becomeEvasive(now, &limits), pr.becomeSilent(now, &limits); e != c.evasive || s != c.silent {
				t.Errorf("becomeEvasive, becomeSilent = %t, %t, want %t, %t", e, s, c.evasive, c.silent)
			}
		})
	}
}

// Each is reported once in a silence, and again in the next.
func TestPresence_once(t *testing.T) {
	limits := timeouts{evasive: time.Second, silent: time.Second, expired: time.Minute}
	now := time.Unix(1e9, 0)
	pr := presence{heardAt: now}
	for silence := range 2 {
		pr.pinged(now)
		now = now.Add(2 * time.Second)
		reports := 0
		for range 3 {
			if pr.becomeEvasive(now, &limits) {
				reports++
			}
		}
		if reports != 1 {
			t.Errorf("silence %d: EVASIVE %d times, want once", silence, reports)
		}
		pr.heard(now)
	}
}

// Of several pings the first is the one whose answer is late.
func TestPresence_firstPingCounts(t *testing.T) {
	start := time.Unix(1e9, 0)
	pr := presence{heardAt: start}
	pr.pinged(start)
	pr.pinged(start.Add(time.Second))
	if !pr.pingedAt.Equal(start) {
		t.Errorf("pinged at %v, want %v", pr.pingedAt, start)
	}
}

// A message taken is a sign of life, but does not answer a ping.
func TestPresence_tookMessage(t *testing.T) {
	start := time.Unix(1e9, 0)
	pr := presence{heardAt: start}
	pr.pinged(start)
	pr.tookMessage(start.Add(time.Minute))
	if pr.idle(start.Add(time.Minute)) != 0 || pr.state != presencePinged {
		t.Errorf("idle %v, state %s, want 0s, %s", pr.idle(start.Add(time.Minute)), pr.state, presencePinged)
	}
}

func TestPresence_pingAnswered(t *testing.T) {
	for _, c := range []struct {
		name         string
		before, want int
	}{{"one of two", 2, 1}, {"the last", 1, 0}, {"one too many", 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{unanswered: c.before}
			if pr.pingAnswered(); pr.unanswered != c.want {
				t.Errorf("unanswered = %d, want %d", pr.unanswered, c.want)
			}
		})
	}
}

// Time in which the node did not run is nobody's silence.
func TestPresence_shift(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name   string
		pinged bool
	}{{"pinged", true}, {"not pinged", false}} {
		t.Run(c.name, func(t *testing.T) {
			pr := presence{heardAt: start}
			if c.pinged {
				pr.pinged(start)
			}
			pr.shift(time.Hour)
			if pr.idle(start.Add(time.Hour)) != 0 || pr.isPinged() != c.pinged {
				t.Errorf("after shift: idle %v, pinged %t, want 0s, %t", pr.idle(start.Add(time.Hour)), pr.isPinged(), c.pinged)
			}
		})
	}
}
