//go:build unix && !linux

package zmqwait

// unused does not know: elsewhere the limit of the process is not the only one.
func unused(int) bool { return false }
