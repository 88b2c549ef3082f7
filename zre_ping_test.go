package zyre

import (
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Each question is answered by the PING-OK to its own PING.
func TestPing_answersInTurn(t *testing.T) {
	const later = 5 * time.Millisecond
	for _, c := range []struct {
		name string
		do   func(b *zreBench, ask func(name string))
		want pingAnswers
	}{
		{"one", func(b *zreBench, ask func(string)) { ask("a"); b.hearID(PingOkID) }, pingAnswers{"a 5ms"}},
		{"behind the node's own", func(b *zreBench, ask func(string)) {
			b.z.ping(b.now, b.peer())
			ask("a")
			b.hearID(PingOkID)
			b.now = b.now.Add(later)
			b.hearID(PingOkID)
		}, pingAnswers{"a 10ms"}},
		{"two", func(b *zreBench, ask func(string)) {
			ask("a")
			ask("b")
			b.hearID(PingOkID)
			b.hearID(PingOkID)
		}, pingAnswers{"a 10ms", "b 5ms"}},
		{"too many answers", func(b *zreBench, ask func(string)) {
			b.hearID(PingOkID)
			b.hearID(PingOkID)
			ask("a")
			b.hearID(PingOkID)
		}, pingAnswers{"a 5ms"}},
		{"no answer", func(b *zreBench, ask func(string)) { ask("a"); b.hearID(JoinID) }, nil},
		{"the peer goes", func(b *zreBench, ask func(string)) { ask("a"); b.hearID(GoodbyeID) }, pingAnswers{"a unknown peer"}},
		{"answers are lost", func(b *zreBench, ask func(string)) {
			ask("a")
			b.z.onFreshConnection(b.now, b.peer())
			ask("b")
			b.hear(&ZreMsg{id: PingOkID})
			b.hear(&ZreMsg{id: PingOkID})
		}, pingAnswers{"a 10ms", "b 5ms"}},
		{"right after ENTER, and the peer answers HELLO by HELLO", func(b *zreBench, ask func(string)) {
			ask("a")
			b.hello(stateEndpoint)
			b.hearID(PingOkID)
		}, pingAnswers{"a 5ms"}},
		{"the answer to the PING before comes as well", func(b *zreBench, ask func(string)) {
			ask("a")
			b.hello(stateEndpoint)
			b.hearID(PingOkID)
			b.hearID(PingOkID)
		}, pingAnswers{"a 5ms"}},
		{"our connection is a fresh one", func(b *zreBench, ask func(string)) {
			ask("a")
			b.z.sendHello(b.now, b.peer())
			b.hearID(PingOkID)
		}, pingAnswers{"a 5ms"}},
		{"a PING waits for room when the peer says HELLO again", func(b *zreBench, ask func(string)) {
			b.port.sendErr = transport.ErrAgain
			ask("a")
			b.hello(stateEndpoint)
			b.port.sendErr = nil
			b.z.advance(b.now)
			ask("b")
			b.hearID(PingOkID)
			b.hearID(PingOkID)
		}, pingAnswers{"a 10ms", "b 5ms"}},
		{"another waits for room when the peer says HELLO again", func(b *zreBench, ask func(string)) {
			b.port.sendErr = transport.ErrAgain
			b.z.ping(b.now, b.peer())
			b.hello(stateEndpoint)
			ask("a")
			b.port.sendErr = nil
			b.z.advance(b.now)
			b.hearID(PingOkID)
		}, pingAnswers{"a 5ms"}},
		{"its session restarts", func(b *zreBench, ask func(string)) {
			ask("a")
			b.hello(stateElsewhere)
		}, pingAnswers{"a unknown peer"}},
		{"withdrawn", func(b *zreBench, ask func(string)) {
			ask("a")
			b.z.withdrawPing(stateUUID, b.peer().pings.requests[0])
			b.hearID(PingOkID)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.hello(stateEndpoint)
			var got pingAnswers
			c.do(b, func(name string) {
				b.z.requestPing(b.now, stateUUID, got.add(name))
				b.now = b.now.Add(later)
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("answers = %q, want %q", got, c.want)
			}
		})
	}
}

// pingAnswers notes what became of questions, in order.
type pingAnswers []string

func (s *pingAnswers) add(name string) func(time.Duration, error) {
	return func(d time.Duration, err error) {
		if err != nil {
			*s = append(*s, name+" "+err.Error())
		} else {
			*s = append(*s, name+" "+d.String())
		}
	}
}
