package mem

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestNetwork_contract(t *testing.T) {
	for _, latency := range []time.Duration{0, 100 * time.Microsecond} {
		t.Run(latency.String(), func(t *testing.T) {
			transporttest.Contract(t, func(testing.TB) transport.Transport {
				n := New(1)
				n.SetLatency(latency)
				return n.NewHost(nil, nil)
			})
		})
	}
}
