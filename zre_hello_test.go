package zyre

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A peer that does not answer HELLO is logged, once, with both endpoints; one that answers
// is not.
func TestHello_noAnswer(t *testing.T) {
	for _, c := range []struct {
		state handshakeState
		then  func(b *zreBench, noAnswer time.Duration)
		want  int
	}{
		{helloSent, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer - 1) }, 0},
		{helloSent, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloReturned, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloExchanged, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloExchanged, func(b *zreBench, noAnswer time.Duration) { b.keep(2 * noAnswer) }, 0},
		{helloConfirmed, func(b *zreBench, noAnswer time.Duration) { b.pass(2 * noAnswer) }, 0},
	} {
		var log bytes.Buffer
		b := newZREBench(t)
		b.z.log = slog.New(slog.NewTextHandler(&log, nil))
		handshakeStates[c.state.String()](b)
		c.then(b, b.z.timeouts.noAnswer())
		got := strings.Count(log.String(), "no answer to HELLO")
		if got != c.want || got > 0 && !strings.Contains(log.String(), " endpoint="+stateEndpoint) {
			t.Errorf("%s: %d lines, want %d with endpoint=%s:\n%s", c.state, got, c.want, stateEndpoint, &log)
		}
	}
}
