//go:build unix

package process

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// stormExpired is the expired timeout of talkative nodes.
const stormExpired = 2 * time.Second

// talkative is a node in a child that whispers a running number to every peer.
func talkative(name string, port int) child.Config {
	cfg := remote(name, port)
	cfg.Evasive, cfg.Silent, cfg.Expired = 500*time.Millisecond, time.Second, stormExpired
	cfg.Chatter = 50 * time.Millisecond
	return cfg
}

// Two of our nodes that were both stopped for longer than the expired timeout find
// back to each other, and the application sees hardly anything of it.
func TestStorm_bothProcessesFrozen(t *testing.T) {
	for _, first := range []string{"both at once", "one only", "one after the other"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			port := kit.FreeUDPPort(t)
			a, b := child.Run(t, talkative("a", port)), child.Run(t, talkative("b", port))
			// The watcher tells how long they have been frozen.
			watcher := watch.Start(t, kit.QuickTimeouts(kit.NewNode(t, "watcher", port), stormExpired/4, stormExpired+stormExpired/2))
			watcher.Wait(t, "ENTER a", 1)
			watcher.Wait(t, "ENTER b", 1)
			whispered := func() {
				t.Helper()
				a.Wait(t, "WHISPER b", a.Count("WHISPER b")+10)
				b.Wait(t, "WHISPER a", b.Count("WHISPER a")+10)
			}
			whispered()
			a.Process.Signal(syscall.SIGSTOP)
			if first == "one after the other" {
				watcher.Wait(t, "SILENT a", 1)
			}
			if first != "one only" {
				b.Process.Signal(syscall.SIGSTOP)
				watcher.Wait(t, "EXIT b", 1)
			}
			watcher.Wait(t, "EXIT a", 1)
			a.Process.Signal(syscall.SIGCONT)
			if first == "one after the other" {
				watcher.Wait(t, "ENTER a", 2)
			}
			b.Process.Signal(syscall.SIGCONT)
			whispered()
			expire(t, port, a.Log, b.Log, watcher) // a storm would show by then
			whispered()
			for _, pair := range [][2]*child.Node{{a, b}, {b, a}} {
				saw, other := pair[0], pair[1].Name
				exits, enters := saw.Count("EXIT "+other), saw.Count("ENTER "+other)
				if exits > 2 || enters != exits+1 {
					t.Errorf("%s saw %d EXITs and %d ENTERs, want at most 2 and one more:\n%s",
						saw.Name, exits, enters, saw.Presence())
				}
				t.Logf("%s: EXIT %d, EVASIVE %d", saw.Name, exits, saw.Count("EVASIVE "+other))
			}
		})
	}
}

// A process that is killed and comes back at the same endpoint under another UUID:
// the old one is gone at once.
func TestStorm_restartAtSameEndpoint(t *testing.T) {
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, "watcher", port)
	r := watch.Start(t, z)
	cfg := talkative("old", port)
	cfg.PeerPort = kit.QuietTCPPort(t)
	old := child.Run(t, cfg)
	r.Wait(t, "ENTER old", 1)
	r.Wait(t, "WHISPER old", 5)
	old.Process.Kill()
	killed := time.Now()
	cfg.Name = "young"
	young := child.Run(t, cfg)
	r.Wait(t, "ENTER young", 1)
	took := time.Since(killed)
	t.Logf("ENTER %v after the kill", took)
	if took > 5*time.Second {
		t.Errorf("ENTER of the new one came %v after the kill, want less than 5s", took)
	}
	r.Wait(t, "WHISPER young", 5)
	z.Whispers(young.UUID, "hello")
	young.Wait(t, "WHISPER watcher hello", 1)
	young.CheckCount(t, "WHISPER watcher hello", 1)
	var order []string
	for _, e := range r.Entries() {
		if e.Type == "ENTER" || e.Type == "EXIT" {
			order = append(order, e.Type+" "+e.PeerName)
		}
	}
	if got, want := strings.Join(order, ", "), "ENTER old, EXIT old, ENTER young"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

// Many processes on one host share one UDP port.
func TestScale_processes(t *testing.T) {
	const count = 20
	port := kit.FreeUDPPort(t)
	var nodes []*child.Node
	for i := range count {
		cfg := remote("node"+string(rune('a'+i)), port)
		cfg.Interval, cfg.Groups = 250*time.Millisecond, []string{"g"}
		nodes = append(nodes, child.Run(t, cfg))
	}
	for _, a := range nodes {
		for _, b := range nodes {
			if a != b {
				a.Wait(t, "JOIN "+b.Name+" g", 1)
			}
		}
	}
	nodes[0].Shout("g", "hello")
	for _, n := range nodes[1:] {
		n.Wait(t, "SHOUT "+nodes[0].Name+" g hello", 1)
	}
}

// Beacons of several processes on one host hear each other.
func TestBeacon_processes(t *testing.T) {
	port := kit.FreeUDPPort(t)
	var beacons []*child.Beacon
	for _, datagram := range []string{"ZRE0", "ZRE1", "ZRE2", "ZRE3", "ZRE4"} {
		b := child.Start(t, datagram).Beacon(datagram, child.BeaconConfig{
			Port: port, Interface: "lo", Datagram: []byte(datagram),
		})
		if b.Address != "127.0.0.1" {
			t.Errorf("CONFIGURE = %q, want 127.0.0.1", b.Address)
		}
		beacons = append(beacons, b)
	}
	for _, a := range beacons {
		for _, b := range beacons {
			if a != b {
				a.Wait(t, b.Name, "127.0.0.1")
			}
		}
	}
	for _, b := range beacons {
		if n := len(b.Process.Lines(`beacon heard" interface=lo `)); n == 0 {
			t.Errorf("%s has heard nothing on lo, want something", b.Name)
		}
	}
	beacons[0].Publish("ZREbye")
	beacons[1].Wait(t, "ZREbye", "127.0.0.1")
	beacons[2].Wait(t, "ZREbye", "127.0.0.1")
}
