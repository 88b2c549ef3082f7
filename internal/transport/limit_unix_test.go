//go:build unix

package transport_test

import (
	"syscall"
	"testing"
)

func lowerDescriptorLimit(t *testing.T, n uint64) {
	t.Helper()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		t.Skip(err)
	}
}
