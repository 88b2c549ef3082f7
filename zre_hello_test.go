package zyre

import (
	"bytes"
	"fmt"
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

// A process that starts at the port of one that has died without a goodbye sees each
// other node once, though that may not know of the death yet, and loses no message.
func TestHello_deadProcess(t *testing.T) {
	for _, kind := range append([]simKind{"ours"}, simKinds...) {
		for dead := time.Second; dead < defaultExpired; dead += 3 * time.Second {
			s := newSim(t, 1)
			s.label = fmt.Sprint(kind, " dead for ", dead)
			a := s.node(nil)
			var old simHost
			if kind == "ours" {
				old = s.node(nil)
			} else {
				old = s.foreign(kind)
			}
			s.beacon(a)
			s.beacon(old)
			s.settle()
			s.kill(old)
			s.run(dead)
			b := s.nodeAt(old.base().endpoint)
			whispered := false
			for range 40 {
				s.beacon(a)
				s.beacon(b)
				s.settle()
				if !whispered && b.count(EventEnter, a.uuid) > 0 {
					whispered = true
					b.whisper(a.uuid)
				}
				s.advance(100 * time.Millisecond)
			}
			s.run(simHealing)
			s.checkLetters()
			if b.count(EventEnter, a.uuid) != 1 || b.exits[a.uuid] != 0 || a.count(EventEnter, b.uuid) != 1 || a.exits[b.uuid] != 0 {
				s.fatalf("%q, %q, want one ENTER of each other", a.history, b.history)
			}
			if a.got["w 3 1"] != 1 {
				s.fatalf("the whisper at ENTER came %d times", a.got["w 3 1"])
			}
		}
	}
}
