package hosts

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// hostFile returns the path of a file of a host's own, which the host sees in /etc.
func hostFile(t *testing.T, h *netns.Host, name string) string {
	t.Helper()
	dir := filepath.Join("/etc/netns", h.Space())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, name)
}

// hostNames has a host find the addresses of names in a file of its own. The test may
// change what the file says.
func hostNames(t *testing.T, h *netns.Host, table string) (change func(table string)) {
	t.Helper()
	file := hostFile(t, h, "hosts")
	change = func(table string) {
		t.Helper()
		// In place: the file is mounted over /etc/hosts of the host.
		if err := os.WriteFile(file, []byte("127.0.0.1 localhost\n"+table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change(table)
	return change
}

// asksNames has a host ask a server for the addresses of names.
func asksNames(t *testing.T, h *netns.Host, server string) {
	t.Helper()
	if err := os.WriteFile(hostFile(t, h, "resolv.conf"), []byte("nameserver "+server+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A name has several addresses, of which one leads nowhere, one to a host that refuses,
// and one to the peer or hub.
func TestNet_names(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "c")
	names := "10.78.0.99 both.test\n10.78.0.3 both.test\n10.78.0.1 both.test\n"
	change := hostNames(t, h[1], names)
	hub := node(h[0], child.Config{Name: "hub", GossipBind: "tcp://10.78.0.1:9999"})
	client := node(h[1], child.Config{Name: "client", GossipConnect: "tcp://both.test:9999"})
	within(t, 10*time.Second, "the hub met", meshed(hub, client), hub, client)

	static := node(h[0], child.Config{Name: "static", Endpoint: "tcp://10.78.0.1:7000"})
	uuid := static.UUID
	asker := node(h[1], child.Config{Name: "asker", Endpoint: "tcp://10.78.0.2:*",
		Required: []child.Required{{UUID: uuid, Endpoint: "tcp://both.test:7000"}}})
	within(t, 10*time.Second, "the required peer met", meshed(static, asker), static, asker)
	checkTalk(t, static, asker)

	// The hub's process dies, and another takes its place at another address of the name.
	hub.Process.Kill()
	change("10.78.0.3 both.test\n")
	moved := node(h[2], child.Config{Name: "moved", GossipBind: "tcp://10.78.0.3:9999"})
	within(t, 10*time.Second, "the hub met that moved", meshed(moved, client), moved, client)
}
