package mem

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-1, 0, 1, time.Hour} {
			start := time.Now()
			over, stop := after(d)
			<-over
			stop()
			if got := time.Since(start); got != max(d, 0) {
				t.Errorf("after(%v) was over after %v", d, got)
			}
		}
	})
}

// Goroutines of one bubble that wait for times that are over do not crash the race detector:
// with timers of no time they did within 100,000 waits.
func TestAfter_severalGoroutines(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		var waiting sync.WaitGroup
		for range 4 {
			waiting.Go(func() {
				for range 100_000 {
					over, stop := after(0)
					<-over
					stop()
				}
			})
		}
		waiting.Wait()
	})
}
