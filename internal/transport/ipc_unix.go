//go:build unix

package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// claimPath makes sure that nobody listens at the path of an ipc endpoint, and keeps
// others who use this package from binding it until release is called.
//
// libzmq removes whatever is at the path before it binds: whoever listens there could not
// be reached any more, and would not notice. What a dead process has left is free to be
// removed; nobody answers there.
func claimPath(path string) (release func(), err error) {
	if path == "*" || strings.HasPrefix(path, "@") { // no file: the kernel refuses by itself
		return func() {}, nil
	}
	release = lockDirectory(filepath.Dir(path))
	if err := checkPath(path); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func checkPath(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // libzmq finds out what is wrong, if anything
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket: %w", path, zmq.EADDRINUSE)
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = c.Close()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return zmq.EADDRINUSE
}
