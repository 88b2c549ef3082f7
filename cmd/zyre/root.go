package main

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// app is what all commands share: the common flags, and where to read and write.
type app struct {
	common
	in     io.Reader
	out    *printer
	errOut *printer
}

var (
	// errInterrupted ends a command that Ctrl-C has stopped before it was done.
	errInterrupted = errors.New("interrupted")

	// errSaid ends a command that has failed and has already said why.
	errSaid = errors.New("failed")
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// newRoot returns the command zyre with all its subcommands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "zyre",
		Short: "See, test and use a network of ZRE nodes",
		Long: "Zyre shows a network of ZRE nodes (RFC 36: zyre, pyre, zyre.js and others), finds out why\n" +
			"nodes do not see each other, and makes shouts and whispers usable from a shell.\n\n" +
			"Every flag below can also be set in the environment: --peer-port is ZYRE_PEER_PORT. Exit\n" +
			"status 0 means that the command did what it was asked to do, 1 that it could not, 2 that\n" +
			"the command line makes no sense.",
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	a.common.register(root.PersistentFlags())
	root.AddCommand(
		newCert(a),
		newChat(a),
		newDoctor(a),
		newHub(a),
		newMonitor(a),
		newPeers(a),
		newPerf(a),
		newPing(a),
		newPub(a),
		newSub(a),
		newVersion(a),
	)
	setHelp(root)
	for _, cmd := range allCommands(root) {
		checkArgs := cmd.Args
		if checkArgs == nil {
			continue
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := checkArgs(cmd, args)
			switch {
			case err == nil:
				return nil
			case cmd.HasSubCommands():
				return unknownCommand(cmd, args[0])
			}
			return usageError{err}
		}
	}
	return root
}

func allCommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// withoutPrefix returns the text of an error without the name of the package, which would
// stand twice.
func withoutPrefix(text string) string { return strings.TrimPrefix(text, "zyre: ") }
