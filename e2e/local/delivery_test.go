package local_test

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// Whoever misses a message of a peer sees EXIT and ENTER, and then goes on.
func TestDelivery_gap(t *testing.T) {
	port := kit.FreeUDPPort(t)
	alice := kit.NewNode(t, "alice", port)
	kit.MustStart(t, alice)
	ra := watch.Record(alice)
	raw := newStranger(t, foreignnet.Options{Name: "raw"})
	raw.sayHello(alice)
	ra.Wait(t, "ENTER raw", 1)
	raw.waitHeard(foreign.HelloID, 1)
	raw.whisper("one")
	ra.Wait(t, "WHISPER raw one", 1)

	_, err := raw.conn.Next() // what had this number is lost
	raw.must(err)
	lost := time.Now()
	raw.whisper("three")
	ra.Wait(t, "EXIT raw", 1)
	raw.waitHeard(foreign.HelloID, 2)
	raw.must(raw.conn.SayHello())
	raw.whisper("four")
	ra.Wait(t, "WHISPER raw four", 1)
	if took := time.Since(lost); took > 2*time.Second {
		t.Errorf("messages flow again after %v, want 2s", took)
	}
	if n, m := ra.Count("ENTER raw"), ra.Count("EXIT raw"); n != 2 || m != 1 || ra.Count("WHISPER raw three") != 0 {
		t.Errorf("%d ENTER, %d EXIT, want 2 and 1 and no message of after the gap:\n%s", n, m, ra)
	}
}
