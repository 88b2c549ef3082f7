package zmqmsg

// #include "zmqmsg.h"
import "C"

// Memory returns how many bytes this process has allocated in C, beside payloads and large
// blocks; 0 if the C library does not tell. It takes half a microsecond.
func Memory() int {
	used, pooled := PayloadBytes()
	return max(0, int(C.zyre_memory())-used-pooled)
}
