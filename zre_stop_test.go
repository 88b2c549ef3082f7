package zyre

import (
	"testing"
	"time"
)

// Stop waits for the answers of peers that have not confirmed all that was sent to them, however
// long ago, and no longer than confirmTime.
func TestZRE_beginStop(t *testing.T) {
	for _, test := range []struct {
		name      string
		before    func(b *zreBench)
		waits     bool
		after     func(b *zreBench)
		confirmed bool
	}{
		{"no peer", func(*zreBench) {}, false, nil, true},
		{"it has not entered", func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) }, false, nil, true},
		{"sent just now", func(b *zreBench) { b.hello(stateEndpoint) }, true, nil, false},
		{"sent long ago", func(b *zreBench) {
			b.hello(stateEndpoint)
			b.now = b.now.Add(time.Minute)
		}, true, nil, false},
		{"confirmed", func(b *zreBench) {
			b.hello(stateEndpoint)
			b.z.ping(b.now, b.peer())
			b.hearID(PingOkID)
		}, false, nil, true},
		{"an answer to a ping of before", func(b *zreBench) {
			b.hello(stateEndpoint)
			b.z.ping(b.now, b.peer())
			b.z.command(b.now, b.peer(), &ZreMsg{id: JoinID, Group: "hall"})
		}, true, func(b *zreBench) { b.hearID(PingOkID) }, false},
		{"it takes nothing any more", func(b *zreBench) {
			b.hello(stateEndpoint)
			b.z.scheduleRemoval(b.now, b.peer())
		}, false, nil, true},
		{"answered", func(b *zreBench) { b.hello(stateEndpoint) }, true, func(b *zreBench) { b.hearID(PingOkID) }, true},
		{"asked as well, and answered", func(b *zreBench) { b.hello(stateEndpoint) }, true, func(b *zreBench) {
			b.hearID(PingID)
			b.hearID(PingOkID)
		}, true},
		{"no answer, but a message", func(b *zreBench) { b.hello(stateEndpoint) }, true, func(b *zreBench) { b.hearID(JoinID) }, false},
		{"it goes as well", func(b *zreBench) { b.hello(stateEndpoint) }, true, func(b *zreBench) { b.hearID(GoodbyeID) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newZREBench(t)
			test.before(b)
			if got := b.z.beginStop(b.now).Sub(b.now); got != 0 && got != confirmTime || (got != 0) != test.waits {
				t.Errorf("beginStop() waits %v, want %t", got, test.waits)
			}
			if test.after != nil {
				test.after(b)
			}
			if got := b.z.isConfirmed(); got != test.confirmed {
				t.Errorf("isConfirmed() = %t, want %t", got, test.confirmed)
			}
		})
	}
}

// What has been sent may go on after Stop, unless that were a HELLO alone: the peer would
// enter, and nothing would tell it that the node is gone.
func TestZRE_linger(t *testing.T) {
	enter := func(b *zreBench) { b.hello(stateEndpoint) }
	sight := func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) }
	for _, test := range []struct {
		name        string
		before      func(b *zreBench)
		passed      time.Duration
		saidGoodbye bool
		want        time.Duration
	}{
		{"entered", enter, 0, false, lingerTime},
		{"entered long ago", enter, time.Hour, true, lingerTime},
		{"HELLO alone", sight, 0, false, 0},
		{"HELLO and GOODBYE", sight, 0, true, lingerTime},
		{"HELLO that was not answered in time", sight, time.Hour, true, 0},
	} {
		b := newZREBench(t)
		test.before(b)
		if got := b.z.linger(b.now.Add(test.passed), b.peer(), test.saidGoodbye); got != test.want {
			t.Errorf("%s: linger() = %v, want %v", test.name, got, test.want)
		}
	}
}

// GOODBYE goes to every peer that has our HELLO, or will.
func TestZRE_sayGoodbye(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(b *zreBench)
		want   int
	}{
		{"entered", func(b *zreBench) { b.hello(stateEndpoint) }, 1},
		{"only we have said HELLO", func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) }, 1},
		{"only it has", func(b *zreBench) { b.hello(stateUnresolved) }, 0},
	} {
		b := newZREBench(t)
		test.before(b)
		b.port.forget()
		b.z.sayGoodbye(b.now)
		if len(b.port.sent) != test.want || test.want == 1 && b.port.sent[0] != "GOODBYE" {
			t.Errorf("%s: sent %q, want %d GOODBYE", test.name, b.port.sent, test.want)
		}
	}
}
