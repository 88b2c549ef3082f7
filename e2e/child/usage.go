//go:build unix

package child

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// readUsage tells what this process has used.
func readUsage() (u Usage, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	runtime.GC()
	runtime.ReadMemStats(&after)
	u.Live, u.Heap = int(after.HeapAlloc), int(before.HeapInuse)
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) { // not Linux: nothing to compare
		err = nil
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			_, err = fmt.Sscanf(line, "VmHWM: %d kB", &u.Resident)
			u.Resident <<= 10
		}
	}
	u.C = allocated()
	var r syscall.Rusage
	if err == nil {
		err = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	}
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	return u, err
}

// limitFiles sets how many files this process may have open.
func limitFiles(files int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = min(uint64(files), limit.Max)
	limit.Max = limit.Cur
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// allowBroadcast lets a socket send to broadcast addresses.
func allowBroadcast(_, _ string, c syscall.RawConn) error {
	var err error
	return errors.Join(c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
	}), err)
}
