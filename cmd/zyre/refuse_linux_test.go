package main

import (
	"fmt"
	"os"

	"github.com/go-zyre/zyre/e2e/sandbox"
)

func init() {
	refuse = func() {
		if os.Getenv("ZYRE_TEST_NO_NETLINK") == "" {
			return
		}
		if err := sandbox.RefuseNetlink(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(99)
		}
	}
}
