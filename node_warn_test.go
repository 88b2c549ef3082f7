package zyre

import (
	"log/slog"
	"testing"
)

func TestWarnOfOldLibzmq(t *testing.T) {
	for version, want := range map[[3]int]int{{4, 2, 5}: 1, {4, 3, 2}: 1, {4, 3, 3}: 0, {4, 3, 4}: 0, {5, 0, 0}: 0} {
		log := &levels{}
		warnOfOldLibzmq(slog.New(log), version)
		if got := log.warnings(); got != want {
			t.Errorf("libzmq %v: %d warnings, want %d", version, got, want)
		}
	}
}
