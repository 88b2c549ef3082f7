package zgossip

import (
	"testing"
	"time"
)

func TestNewsQueue_coalesce(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	l := &link{hub: true}
	for _, kv := range []string{"a=1", "b=1", "c=1", "a=2", "b="} {
		tb.say(l, kv, now)
	}
	if got := tb.takeNews(); got != "+a=2 +c=1" {
		t.Errorf("news = %q, want %q", got, "+a=2 +c=1")
	}
	tb.say(l, "a=", now)
	tb.tick(now.Add(time.Minute)) // a is removed before the application is told of its end
	tb.say(l, "a=3", now)
	tb.say(l, "a=", now)
	if got := tb.takeNews(); got != "-a" {
		t.Errorf("news = %q, want %q", got, "-a")
	}
}
