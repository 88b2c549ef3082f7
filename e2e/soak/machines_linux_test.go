package soak

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/go-zyre/zyre/e2e/netns"
)

// soakMachines makes so many hosts on one LAN, or returns none where that is not possible.
func soakMachines(t *testing.T, count int) (machines []soakMachine) {
	t.Helper()
	n, err := netns.Try(t)
	if err == nil {
		_, err = exec.LookPath("tc")
	}
	if err != nil {
		t.Logf("all nodes are on lo, and no link is slow: %v", err)
		return nil
	}
	n.Switch("lan")
	for i := range count {
		h := n.Host(fmt.Sprint("host", i+1))
		h.Connect("lan", "eth0", fmt.Sprintf("10.78.0.%d/24", i+1))
		machines = append(machines, h)
	}
	return machines
}
