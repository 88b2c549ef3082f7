package zmqmsg

import "testing"

// What libzmq takes for messages is counted, and is much more than their bytes; payloads are
// not counted.
func TestMemory(t *testing.T) {
	if Memory() == 0 {
		t.Skip("the C library does not tell")
	}
	const messages = 20_000
	in, out := pair(t, Of, messages)
	before := Memory()
	for range messages {
		send(t, out, nil, nil)
	}
	eventually(t, "memory for all messages", func() bool { return Memory()-before > 48*messages })
	for range messages {
		receive(t, in, false)
	}
	eventually(t, "memory given back", func() bool { return Memory()-before < 16*messages })
	before = Memory()
	p := NewPayload(make([]byte, 100_000))
	if got := Memory() - before; got > 50_000 {
		t.Errorf("a payload took %d bytes, want it not counted", got)
	}
	p.Release()
}
