// libzmq ends the process if a connection fails with ENOPROTOOPT or ENOBUFS, which it takes for
// mistakes of its own (tcp_connecter.cpp of 4.3.5, and before). But anybody to whom a node connects
// can bring ENOPROTOOPT about, by the ICMP message that the protocol is unreachable. So libzmq, which
// asks for the error of a connection by getsockopt, gets another one for it. Its calls come here
// because a symbol of the program goes before that of a library.
//
// Go itself does not call getsockopt of C.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int (*zyre_getsockopt)(int, int, int, void *, socklen_t *);

static zyre_getsockopt zyre_system_getsockopt(void) {
    static zyre_getsockopt known; // each thread finds the same
    zyre_getsockopt f = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    if (f == NULL) {
        f = (zyre_getsockopt)dlsym(RTLD_NEXT, "getsockopt");
        __atomic_store_n(&known, f, __ATOMIC_RELEASE);
    }
    return f;
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size) {
    int result;
    zyre_getsockopt f = zyre_system_getsockopt();
    if (f != NULL) {
        result = f(fd, level, name, value, size);
    } else { // in a program that is linked statically
#ifdef SYS_getsockopt
        result = (int)syscall(SYS_getsockopt, fd, level, name, value, size);
#else
        errno = ENOSYS;
        result = -1;
#endif
    }
    if (result == 0 && level == SOL_SOCKET && name == SO_ERROR && *size == sizeof(int)) {
        int *error = value;
        if (*error == ENOPROTOOPT || *error == ENOBUFS) {
            *error = ECONNREFUSED;
        }
    }
    return result;
}
