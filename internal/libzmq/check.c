// Not an error: libzmq may be where only pkg-config finds it. Where there is none, the
// build fails by pkg-config's words, which name no package to install.
#ifdef __has_include
#if !__has_include(<zmq.h>) && !__has_include("/usr/local/include/zmq.h") \
    && !__has_include("/opt/homebrew/include/zmq.h") && !__has_include("/opt/local/include/zmq.h")
#warning "zyre: if the build fails, install libzmq with its headers (libzmq3-dev, zeromq-devel, zeromq) and pkg-config"
#endif
#endif
