package zyre

import (
	"fmt"
	"testing"
)

// When the leader goes, the one that led, or said so, before it leads again: it has told
// everybody and may never say it again.
func TestElection_leaderGoes(t *testing.T) {
	small, big := [16]byte{2}, [16]byte{3}
	for _, order := range [][][16]byte{{small, big}, {big, small}, {big, small, small}, {small, big, small}} {
		b := newZREBench(t)
		b.z.join(b.now, "G")
		next := map[[16]byte]uint16{small: 2, big: 2}
		say := func(uuid [16]byte, m *ZreMsg) {
			packet := packetOf(t, uuid, next[uuid], m)
			next[uuid]++
			b.z.receive(b.now, &packet)
			b.z.runElections(b.now)
		}
		for i, uuid := range [][16]byte{small, big} {
			hello := packetOf(t, uuid, 1, &ZreMsg{
				id: HelloID, Endpoint: fmt.Sprintf("tcp://10.0.0.%d:9", 8+i), Groups: []string{"G"}, Status: 1,
			})
			b.z.receive(b.now, &hello)
		}
		for _, uuid := range order {
			say(uuid, &ZreMsg{id: LeaderID, Group: "G", candidate: uuidString(uuid)})
		}
		if got, want := b.z.elections["G"].leader, uuidString(small); got != want {
			t.Errorf("%v: leader %q, want %q", order, got, want)
		}
		say(small, &ZreMsg{id: LeaveID, Group: "G", Status: 2})
		if got, want := b.z.elections["G"].leader, uuidString(big); got != want {
			t.Errorf("%v: leader %q once the leader has gone, want %q", order, got, want)
		}
	}
}
