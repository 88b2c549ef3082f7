package e2e

import (
	"os"
	"syscall"

	"github.com/go-zyre/zyre/e2e/sandbox"
)

func init() {
	execWithoutNetlink = func(argv []string) error {
		if err := sandbox.RefuseNetlink(); err != nil {
			return err
		}
		return syscall.Exec(argv[0], argv, os.Environ())
	}
}
