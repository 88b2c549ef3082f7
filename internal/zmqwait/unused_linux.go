package zmqwait

import "golang.org/x/sys/unix"

// unused reports that the n highest numbers that a descriptor of this process may
// have are free, at the price of two system calls. That is the common case, since
// the system gives out low numbers first; false means nothing.
func unused(n int) bool {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<30 || limit.Cur < uint64(n) {
		return false
	}
	var few [16]unix.PollFd // that need not be allocated
	fds := few[:0]
	for i := range n {
		fds = append(fds, unix.PollFd{Fd: int32(limit.Cur) - 1 - int32(i)})
	}
	if _, err := unix.Poll(fds, 0); err != nil {
		return false
	}
	for _, fd := range fds {
		if fd.Revents&unix.POLLNVAL == 0 {
			return false
		}
	}
	return true
}
