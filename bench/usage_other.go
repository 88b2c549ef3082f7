//go:build !linux

package main

func descriptorLimit() int { return 1 << 16 }

// occupied is what the process holds; only Linux tells.
type occupied struct {
	rss      float64
	threads  int
	switches int
}

func cpuTime() float64 { return 0 }

func memory() occupied { return occupied{} }

func peakMemory() float64 { return 0 }

func descriptors() int { return 0 }
