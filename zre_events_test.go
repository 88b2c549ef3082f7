package zyre

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// EXIT says why.
func TestZRE_exitReasons(t *testing.T) {
	for _, c := range []struct {
		want string
		end  func(b *zreBench)
	}{
		{ReasonGoodbye, func(b *zreBench) { b.hearID(GoodbyeID) }},
		{ReasonGoodbye, func(b *zreBench) { b.z.goodbye(b.now, stateUUID, "") }},
		{ReasonExpired, func(b *zreBench) { b.pass(time.Minute) }},
		{ReasonLost, func(b *zreBench) { b.hearAfterGap(&ZreMsg{id: PingID}, 1) }},
		{ReasonRestarted, func(b *zreBench) { b.hello(stateElsewhere) }},
		{ReasonTooLarge, func(b *zreBench) {
			p := packetOf(b.t, stateUUID, b.peer().in.next, &ZreMsg{id: WhisperID})
			p.Excess = true
			b.z.receive(b.now, &p)
		}},
		{ReasonTooLarge, func(b *zreBench) {
			b.z.transmit(b.now, b.peer(), &transmission{
				header: appendPlain(nil, WhisperID, 0), content: content{frames: [][]byte{make([]byte, defaultMaxMessage+1)}},
			})
			b.pass(time.Second)
			b.hello(stateEndpoint)
		}},
		{ReasonReplaced, func(b *zreBench) {
			b.z.sighted(b.now, [16]byte{8}, stateEndpoint)
			b.pass(5 * time.Second)
		}},
		{ReasonMoved, func(b *zreBench) {
			b.pass(defaultSilent)
			b.z.sighted(b.now, stateUUID, stateElsewhere)
			b.pass(5 * time.Second)
		}},
		{ReasonFailed, func(b *zreBench) {
			b.port.sendErr = errors.New("no such host")
			b.z.ping(b.now, b.peer())
			b.pass(time.Second)
		}},
	} {
		b := newZREBench(t)
		b.hello(stateEndpoint)
		b.hearID(WhisperID)
		c.end(b)
		if got := b.port.reasons; !slices.Equal(got, []string{c.want}) {
			t.Errorf("reasons = %q, want %q", got, c.want)
		}
	}
}

// Who says HELLO again and again exits for that reason in the end.
func TestZRE_exitReasonThrottled(t *testing.T) {
	b := newZREBench(t)
	for i := 0; i < 100 && !slices.Contains(b.port.reasons, ReasonThrottled); i++ {
		b.hello(stateEndpoint)
		b.hearID(WhisperID)
		b.pass(time.Millisecond)
	}
	if got := b.port.reasons; !slices.Contains(got, ReasonThrottled) || !slices.Contains(got, ReasonRestarted) {
		t.Errorf("reasons = %q, want %q in the end", got, ReasonThrottled)
	}
}
