#include "zmqmsg.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

// Blocks that the C library maps by themselves are left out. libzmq allocates a large frame when it
// is announced, and nothing of that is in memory until it comes.
size_t zyre_memory(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#elif defined(__GLIBC__)
    return (unsigned)mallinfo().uordblks;
#else
    return 0;
#endif
}
