package transport

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// statm tells how much memory the process has. It is kept open, so that the guards can look also
// when somebody has used up the descriptors of the process.
var statm = tcpinfo.NewKeptFile("/proc/self/statm")

// keepFiles opens what is read at each look, until releaseFiles.
func keepFiles() {
	tcpinfo.Keep()
	statm.Keep()
}

func releaseFiles() {
	statm.Release()
	tcpinfo.Release()
}

// residentMemory is how much of the process is in memory, in bytes; 0 if that cannot be told.
func residentMemory() int {
	buffer, n := make([]byte, 256), 0
	err := statm.Use(func(fd int) (err error) {
		n, err = unix.Pread(fd, buffer, 0)
		return err
	})
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(buffer[:n]))
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
