// Zyre shows a network of ZRE nodes, finds out why nodes do not see each other, and makes
// shouts and whispers usable from a shell. docs/zyre.md describes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses. 0 means that the command did what it was asked to do.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // by Ctrl-C, before the command was done
)

func main() {
	// The first signal ends the command politely, and its node says goodbye. A second one
	// ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	// A reader that has gone, such as head, is an error of writing, and no signal.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command line and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: newPrinter(stdout), errOut: newPrinter(stderr)}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		stdout = withoutBackquotes{stdout}
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.out.err
	}
	var usage usageError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return 0
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "zyre: %s\nzyre: --help shows what there is\n", safe(err.Error()))
		return exitUsage
	case errors.Is(err, errSaid):
		return exitFailed
	}
	fmt.Fprintf(stderr, "zyre: %s\n", safe(withoutPrefix(err.Error())))
	return exitFailed
}
