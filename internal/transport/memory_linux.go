package transport

import "golang.org/x/sys/unix"

// peakMemory is the most memory that the process has had so far, in bytes.
func peakMemory() int {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return int(u.Maxrss) << 10
}
