package zgossip

import (
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

func TestHubState(t *testing.T) {
	now := time.Unix(1e9, 0)
	const auth, retried, wrong = zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_CONNECT_RETRIED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
	for _, c := range []struct {
		name string
		do   func(s *HubState)
		want HubState
	}{
		{"new", func(*HubState) {}, HubState{LastError: notTried}},
		{"nobody there", func(s *HubState) { s.onEvent(retried) }, HubState{LastError: "nothing answers at this address"}},
		{"refused, and tried again", func(s *HubState) { s.onEvent(auth); s.onEvent(retried) }, HubState{LastError: "the hub refused this node's key"}},
		{"wrong key", func(s *HubState) { s.onEvent(retried); s.onEvent(wrong) }, HubState{LastError: "the handshake failed: is the hub's key right?"}},
		{"answers", func(s *HubState) { s.onEvent(retried); s.answered(now); s.answered(now.Add(1)) }, HubState{Since: now}},
		{"lost", func(s *HubState) { s.answered(now); s.lost() }, HubState{LastError: "the connection was lost, or the hub stopped answering"}},
		{"lost before it answered", func(s *HubState) { s.onEvent(auth); s.lost() }, HubState{LastError: "the hub refused this node's key"}},
		{"answers again", func(s *HubState) { s.answered(now); s.lost(); s.answered(now.Add(time.Second)) }, HubState{Since: now.Add(time.Second)}},
	} {
		s := HubState{LastError: notTried}
		c.do(&s)
		if s != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, s, c.want)
		}
	}
}
