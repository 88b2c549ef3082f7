// Package libzmq has nothing in it. Where zyre cannot be built, because there is no cgo
// or no libzmq, compiling this package says what to install. The packages that need
// libzmq import it so that this is said first, before what the compiler has to say
// about them.
package libzmq

import "C"
