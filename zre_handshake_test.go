package zyre

import (
	"testing"
	"time"
)

func TestHandshake_classify(t *testing.T) {
	const verify, expired = time.Second, 30 * time.Second
	for _, c := range []struct {
		name  string
		state handshakeState
		other bool          // endpoint than the last
		since time.Duration // our HELLO
		want  repeatedHello
	}{
		{"it may answer ours", helloReturned, false, 0, helloAnswers},
		{"it may answer ours, late", helloReturned, false, expired - 1, helloAnswers},
		{"it must have answered ours", helloReturned, false, expired, helloRestarts},
		{"it has answered ours just now", helloExchanged, false, verify - 1, helloRepeats},
		{"it has answered ours", helloExchanged, false, verify, helloRestarts},
		{"ours is confirmed", helloConfirmed, false, 0, helloRestarts},
		{"from elsewhere, unconfirmed", helloReturned, true, 0, helloRestarts},
		{"from elsewhere, exchanged", helloExchanged, true, 0, helloRestarts},
		{"from elsewhere, confirmed", helloConfirmed, true, 0, helloRestarts},
	} {
		t.Run(c.name, func(t *testing.T) {
			sentAt := time.Unix(1e9, 0)
			h := handshake{state: c.state, sentAt: sentAt}
			if got := h.classify(sentAt.Add(c.since), !c.other, verify, expired); got != c.want {
				t.Errorf("classify = %s, want %s", got, c.want)
			}
		})
	}
}

func TestHandshake_patience(t *testing.T) {
	for _, c := range []struct {
		name      string
		roundTrip time.Duration
		resends   uint8
		want      time.Duration
	}{
		{"quick network", time.Millisecond, 0, time.Second},
		{"slow network", 3 * time.Second, 0, 6 * time.Second},
		{"said again", 0, 1, 2 * time.Second},
		{"said again on a slow network", 3 * time.Second, 2, 24 * time.Second},
		{"at most 32 times as long", 0, maxResends, 32 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := handshake{roundTrip: c.roundTrip, resends: c.resends}
			if got := h.patience(time.Second); got != c.want {
				t.Errorf("patience = %v, want %v", got, c.want)
			}
		})
	}
}

func TestHandshake_steps(t *testing.T) {
	now := time.Unix(1e9, 0)
	sent := func(h *handshake) { h.sent(now) }
	soon := func(h *handshake) { h.messageReceived(now.Add(time.Millisecond), time.Second) }
	later := func(h *handshake) { h.messageReceived(now.Add(time.Second), time.Second) }
	pinged := func(h *handshake) { h.pingAnswered(0) }
	for _, c := range []struct {
		name  string
		steps []func(*handshake)
		want  handshakeState
	}{
		{"nothing yet", nil, helloHeld},
		{"we speak first", []func(*handshake){sent}, helloSent},
		{"it answers", []func(*handshake){sent, (*handshake).received}, helloExchanged},
		{"it spoke first", []func(*handshake){sent, (*handshake).received, (*handshake).answered}, helloReturned},
		{"we say it again", []func(*handshake){sent, (*handshake).received, sent}, helloReturned},
		{"a message confirms", []func(*handshake){sent, (*handshake).received, later}, helloConfirmed},
		{"a message may be old", []func(*handshake){sent, (*handshake).received, soon}, helloExchanged},
		{"an answered ping confirms", []func(*handshake){sent, (*handshake).received, pinged}, helloConfirmed},
		{"nothing confirms before it has entered", []func(*handshake){sent, later, pinged}, helloSent},
		{"it exits", []func(*handshake){sent, (*handshake).received, pinged, (*handshake).exited}, helloSent},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h handshake
			for _, step := range c.steps {
				step(&h)
			}
			if h.state != c.want {
				t.Errorf("state = %s, want %s", h.state, c.want)
			}
		})
	}
}

func TestHandshake_questions(t *testing.T) {
	for _, c := range []struct {
		state                handshakeState
		entered, unconfirmed bool
	}{
		{helloHeld, false, false},
		{helloSent, false, false},
		{helloReturned, true, true},
		{helloExchanged, true, true},
		{helloConfirmed, true, false},
	} {
		t.Run(c.state.String(), func(t *testing.T) {
			h := handshake{state: c.state}
			if h.isEntered() != c.entered || h.isEnteredUnconfirmed() != c.unconfirmed {
				t.Errorf("isEntered, isEnteredUnconfirmed = %t, %t, want %t, %t",
					h.isEntered(), h.isEnteredUnconfirmed(), c.entered, c.unconfirmed)
			}
		})
	}
}

// An answered ping ends the series of HELLOs said again. It confirms the last one only if
// there is no other that it may be about.
func TestHandshake_pingAnswered(t *testing.T) {
	for resends, want := range map[uint8]handshakeState{0: helloConfirmed, 4: helloReturned} {
		h := handshake{state: helloReturned, resends: resends}
		h.pingAnswered(5 * time.Millisecond)
		if h.resends != 0 || h.roundTrip != 5*time.Millisecond || h.state != want {
			t.Errorf("after %d: resends, round trip, state = %d, %v, %s, want 0, 5ms, %s", resends, h.resends, h.roundTrip, h.state, want)
		}
	}
}

// A peer that enters from helloUnconfirmed may still answer a HELLO that was said again.
func TestHandshake_helloTaken(t *testing.T) {
	for resends, want := range map[uint8]handshakeState{0: helloExchanged, 1: helloReturned} {
		h := handshake{state: helloUnconfirmed, resends: resends}
		if h.helloTaken(); h.state != want {
			t.Errorf("after %d HELLOs again: state = %s, want %s", resends, h.state, want)
		}
	}
}
