package kit

import (
	"testing"

	"github.com/go-zyre/zyre"
)

// LastLeader returns the leader that a node reported last, if it is still here, and how
// many LEADER events named the one that led already.
func LastLeader(r *Recorder) (leader string, repeated int) {
	seen, _ := r.Events()
	for _, e := range seen {
		switch {
		case e.Type == "LEADER" && e.PeerUUID == leader:
			repeated++
		case e.Type == "LEADER":
			leader = e.PeerUUID
		case e.PeerUUID == leader && (e.Type == "EXIT" || e.Type == "LEAVE"):
			leader = ""
		}
	}
	return leader, repeated
}

// Agree waits until all nodes report the same leader, each once.
func Agree(t testing.TB, nodes map[string]*zyre.Zyre, recorders map[string]*Recorder, want string) {
	t.Helper()
	for id := range nodes {
		r := recorders[id]
		Eventually(t, r.Name+" reports "+want, func() bool {
			leader, _ := LastLeader(r)
			return leader == want
		})
		if _, repeated := LastLeader(r); repeated > 0 {
			t.Errorf("%s reported the same leader again:\n%s", r.Name, r)
		}
	}
}
