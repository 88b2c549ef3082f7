package child

// #include <stdlib.h>
//
// #if defined(__GLIBC__)
// #if __GLIBC_PREREQ(2, 33)
// #define TELLS
// #endif
// #endif
//
// #ifdef TELLS
// #include <malloc.h>
// #endif
//
// static size_t allocated(void) {
// #ifdef TELLS
//     struct mallinfo2 m = mallinfo2();
//     return m.uordblks + m.hblkhd;
// #else
//     return 0;
// #endif
// }
import "C"

// allocated tells how many bytes this process has allocated in C; 0 if the C library does not tell.
func allocated() int { return int(C.allocated()) }
