package local_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

const keptUUID = "C0FFEE00C0FFEE00C0FFEE00C0FFEE00"

// A node that keeps its UUID is known by it again after a restart.
func TestSetUUID_restart(t *testing.T) {
	port := kit.FreeUDPPort(t)
	alice, bob := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port).SetUUID(keptUUID)
	kit.MustStart(t, alice, bob)
	ra := watch.Record(alice)
	ra.Wait(t, "ENTER bob", 1)
	bob.Stop()
	ra.Wait(t, "EXIT bob", 1)
	again := kit.NewNode(t, "bob", port).SetUUID(strings.ToLower(keptUUID))
	kit.MustStart(t, again)
	watch.Record(again).Wait(t, "ENTER alice", 1)
	if e := ra.Wait(t, "ENTER bob", 2); e.PeerUUID != keptUUID || again.UUID() != keptUUID {
		t.Errorf("ENTER of %s, UUID() = %s, want %s", e.PeerUUID, again.UUID(), keptUUID)
	}
	again.Whisper(alice.UUID(), []byte("here again"))
	ra.Wait(t, "WHISPER bob here again", 1)
}

// Two nodes that live under one UUID are told of each other.
func TestSetUUID_twice(t *testing.T) {
	port := kit.FreeUDPPort(t)
	var log kit.Buffer
	one := kit.NewNode(t, "one", port).SetUUID(keptUUID).SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	two := kit.NewNode(t, "two", port).SetUUID(keptUUID)
	kit.MustStart(t, one, two)
	want := "other_endpoint=" + kit.Endpoint(t, two)
	watch.Until(t, "the warning", func() bool { return strings.Contains(log.String(), want) })
}
