package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// cpuTime is how many seconds all threads of this process have run.
func cpuTime() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// descriptorLimit is how many file descriptors a process may have. Go has raised
// it as far as it may.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<30))
}

// descriptors is how many file descriptors the process has.
func descriptors() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}

// occupied is what the process holds.
type occupied struct {
	rss      float64 // MB
	threads  int
	switches int // voluntary context switches of all threads so far
}

func memory() (o occupied) {
	o.rss = float64(statusField("/proc/self/status", "VmRSS")) / 1024
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	o.threads = len(tasks)
	for _, t := range tasks {
		o.switches += statusField(t, "voluntary_ctxt_switches")
	}
	return o
}

// peakMemory is the most memory that the process has had so far, in MB.
func peakMemory() float64 { return float64(statusField("/proc/self/status", "VmHWM")) / 1024 }

func statusField(file, key string) int {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == key {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}
