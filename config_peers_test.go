package zyre

import (
	"testing"
)

// A peer that is required again takes the place of what was said of it before.
func TestConfig_require(t *testing.T) {
	var c config
	for _, endpoint := range []string{"tcp://10.0.0.1:1", "tcp://10.0.0.1:1", "tcp://10.0.0.2:1"} {
		c.require(requiredPeer{uuid: [16]byte{1}, endpoint: endpoint})
	}
	c.require(requiredPeer{uuid: [16]byte{2}})
	if len(c.required) != 2 || c.required[0].endpoint != "tcp://10.0.0.2:1" {
		t.Errorf("required = %+v, want two, the first at tcp://10.0.0.2:1", c.required)
	}
}
