//go:build unix && !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package transport

// lockDirectory does nothing here: the system cannot.
func lockDirectory(string) (release func()) { return func() {} }
