//go:build unix && !linux

package soak

import "testing"

// soakMachines returns no hosts: only Linux can make them.
func soakMachines(t *testing.T, _ int) []soakMachine {
	t.Log("all nodes are on lo, and no link is slow: this is not Linux")
	return nil
}
