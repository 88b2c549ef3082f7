//go:build !cgo

package libzmq

// Without cgo this does not compile, and the compiler shows the text.
var _ int = "zyre: install a C compiler, pkg-config and libzmq, set CGO_ENABLED=1"
