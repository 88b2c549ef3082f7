//go:build !linux

package transport

// residentMemory is not needed where connections cannot be looked at.
func residentMemory() int { return 0 }

// peakMemory is not needed where connections cannot be looked at.
func peakMemory() int { return 0 }

func keepFiles() {}

func releaseFiles() {}
