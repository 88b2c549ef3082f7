package transport

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// residentMemory is how much of the process is in memory, in bytes; 0 if that cannot be told.
func residentMemory() int {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// peakMemory is the most memory that the process has had so far, in bytes.
func peakMemory() int {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return int(u.Maxrss) << 10
}
