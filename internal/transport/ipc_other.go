//go:build !unix

package transport

// claimPath does nothing here: the system refuses a path that is in use.
func claimPath(string) (release func(), err error) { return func() {}, nil }
