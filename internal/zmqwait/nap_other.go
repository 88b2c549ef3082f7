//go:build !linux

package zmqwait

import "time"

// Nap gives the processor to others for about d. It may last longer.
func Nap(d time.Duration) { time.Sleep(d) }
