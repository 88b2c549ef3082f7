//go:build e2e && unix

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// The command of the end-to-end tests writes to standard error, at SIGUSR1, what it uses.
func init() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() { // ends with the process
		for range asked {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Fprintf(os.Stderr, "usage goroutines=%d live=%d\n", runtime.NumGoroutine(), m.HeapAlloc)
		}
	}()
}
