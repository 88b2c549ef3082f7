// Package libzmq keeps libzmq from ending the process on Linux, where what comes from the network
// would make it: see soerror_linux.c. It has nothing for Go.
//
// Where zyre cannot be built, because there is no cgo or no libzmq, compiling this package says what
// to install. The packages that need libzmq import it so that this is said first, before what the
// compiler has to say about them.
package libzmq

// #cgo linux LDFLAGS: -ldl
import "C"
