package doctor

import "testing"

// A fault is said once.
func TestReport_fault(t *testing.T) {
	r := &Report{}
	for _, f := range []Fault{{"a", "what", "do"}, {"a", "other", "do"}, {"a", "what", "do"}, {"b", "what", "do"}, {"a", "other", "do"}} {
		r.fault(f.ID, f.What, f.Do)
	}
	want := []Fault{{"a", "what", "do"}, {"a", "other", "do"}, {"b", "what", "do"}}
	if len(r.Faults) != len(want) {
		t.Fatalf("faults %+v, want %+v", r.Faults, want)
	}
	for i, f := range r.Faults {
		if f != want[i] {
			t.Errorf("fault %d = %+v, want %+v", i, f, want[i])
		}
	}
}

func TestReport_node(t *testing.T) {
	r := &Report{}
	a, b := r.addNode(uuidOf("A")), r.addNode(uuidOf("B"))
	if r.node(uuidOf("A")) != a || r.node(uuidOf("B")) != b || r.node(uuidOf("C")) != nil {
		t.Errorf("node() does not find the two that were added, and only those: %+v", r.Nodes)
	}
}

func TestNode_called(t *testing.T) {
	for want, n := range map[string]Node{
		"the node AAAAAA at 10.0.0.9:5":         {UUID: uuidOf("A"), Endpoint: "tcp://10.0.0.9:5"},
		"the node alice (BBBBBB) at 10.0.0.9:5": {UUID: uuidOf("B"), Endpoint: "tcp://10.0.0.9:5", Name: "alice"},
		"the node CCCCCC at ipc:///tmp/x":       {UUID: uuidOf("C"), Endpoint: "ipc:///tmp/x"},
	} {
		if got := n.called(); got != want {
			t.Errorf("called() = %q, want %q", got, want)
		}
	}
}
