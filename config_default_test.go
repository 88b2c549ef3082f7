package zyre

import (
	"testing"
	"time"
)

// SetEvasive and SetExpired change the defaults of the nodes made afterwards, and of no
// other.
func TestSetEvasive_setExpired(t *testing.T) {
	t.Cleanup(func() {
		evasiveDefault.Store(0)
		expiredDefault.Store(0)
	})
	before := NewZyre(t.Context())
	SetEvasive(2 * time.Second)
	SetExpired(7 * time.Second)
	for range 2 {
		after := NewZyre(t.Context())
		if after.cfg.evasive != 2*time.Second || after.cfg.expired != 7*time.Second {
			t.Errorf("timeouts of a new node = %v, %v, want 2s, 7s", after.cfg.evasive, after.cfg.expired)
		}
		SetEvasive(minTimeout - 1) // ignored
		SetExpired(0)
	}
	if before.cfg.evasive != defaultEvasive || before.cfg.expired != defaultExpired {
		t.Errorf("timeouts of a node made before = %v, %v, want %v, %v", before.cfg.evasive, before.cfg.expired,
			defaultEvasive, defaultExpired)
	}
}
