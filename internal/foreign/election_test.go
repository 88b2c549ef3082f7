package foreign

import (
	"strings"
	"testing"
)

// The model is M, so A is a better candidate and P a worse one.
func TestModel_elections(t *testing.T) {
	vote := func(w *world, from string, id uint8, sequence uint16, candidate string) {
		w.hear(from, Message{ID: id, Sequence: sequence, Group: "G", Candidate: UUIDText(uuidOf(candidate))})
	}
	for _, tt := range []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"a member comes, and echoes", func(w *world) {
			w.m.Contest("G")
			w.hello("P", 1, "G")
			vote(w, "P", ElectID, 2, "M")
			vote(w, "P", LeaderID, 3, "M")
		}, "dial P tcp://P:1, hello#1 to P, ENTER P, JOIN P G, elect#2 to P, leader#3 to P, LEADER M G"},
		{"a better one comes", func(w *world) {
			w.m.Contest("G")
			w.meet("A", "G")
			vote(w, "A", ElectID, 2, "A")
			vote(w, "A", LeaderID, 3, "A")
		}, "elect#3 to A, leader#4 to A, LEADER A G"},
		{"no candidate itself", func(w *world) {
			w.meet("A", "G")
			w.meet("P", "G")
			vote(w, "A", ElectID, 2, "A")
			vote(w, "P", ElectID, 2, "A")
			vote(w, "A", LeaderID, 3, "A")
			vote(w, "P", LeaderID, 3, "A")
		}, "elect#2 to P, elect#2 to A, leader#3 to A, leader#3 to P, LEADER A G"},
		{"the leader goes", func(w *world) {
			w.m.Contest("G")
			w.meet("A", "G")
			vote(w, "A", ElectID, 2, "A")
			vote(w, "A", LeaderID, 3, "A")
			w.log = nil
			w.m.Goodbye(uuidOf("A"))
		}, "close A, EXIT A, LEADER M G"},
		{"a member enters again", func(w *world) {
			w.m.Contest("G")
			w.meet("P", "G")
			w.hello("P", 1, "G")
		}, "close P, EXIT P, dial P tcp://P:1, hello#1 to P, ENTER P, JOIN P G, elect#2 to P"},
		{"of somebody who is not in the group", func(w *world) {
			w.m.Contest("G")
			w.meet("P")
			vote(w, "P", ElectID, 2, "A")
		}, ""},
		{"a candidate that is no UUID", func(w *world) {
			w.meet("P", "G")
			w.hear("P", Message{ID: LeaderID, Sequence: 2, Group: "G", Candidate: "x"})
		}, "leader#2 to P, LEADER \x00 G"},
	} {
		w := newWorld(t, Libzyre)
		tt.do(w)
		if got := w.takeLog(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// The others hold no elections.
func TestModel_contestOthers(t *testing.T) {
	w := newWorld(t, Pyre)
	w.m.Contest("G")
	w.hello("P", 1, "G")
	if got := w.takeLog(); strings.Contains(got, "elect") {
		t.Errorf("pyre sends %s", got)
	}
}

// Libzyre forgets the LEADERs of one candidate when it elects another.
func TestModel_missedLeader(t *testing.T) {
	for _, early := range []bool{false, true} {
		w := newWorld(t, Libzyre)
		w.meet("A", "G")
		w.meet("P", "G")
		leader := func(from string, sequence uint16, candidate string) {
			w.hear(from, Message{ID: LeaderID, Sequence: sequence, Group: "G", Candidate: UUIDText(uuidOf(candidate))})
		}
		next := uint16(2)
		if early {
			leader("A", 2, "A")
			next = 3
		}
		leader("A", next, "P")
		leader("P", 2, "P")
		if got := w.m.HasMissedLeader("G"); got != early {
			t.Errorf("LEADER of another came before: %t, HasMissedLeader = %t", early, got)
		}
	}
}
