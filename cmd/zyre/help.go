package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide a line of help may be.
const helpWidth = 96

// setHelp makes the help of all commands that root has by now, and what shells complete.
func setHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("common", func(cmd *cobra.Command) string {
		flags := cmd.InheritedFlags()
		flags.SortFlags = false
		return flags.FlagUsagesWrapped(helpWidth)
	})
	root.SetUsageTemplate(strings.NewReplacer(
		".LocalFlags.FlagUsages", fmt.Sprintf(".LocalFlags.FlagUsagesWrapped %d", helpWidth),
		".InheritedFlags.FlagUsages", "common .",
		"Global Flags:", "Flags of all commands, also in the environment: --peer-port is ZYRE_PEER_PORT:",
		"Available Commands:", "Commands:",
		"[command]", "COMMAND",
		"for more information about a command", "shows the flags of a command, and examples",
	).Replace(root.UsageTemplate()))
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) (names []string, how cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) == 0 {
				for _, sub := range about.Commands() {
					if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), begun) {
						names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(about, rest[0])
			}
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range allCommands(root) {
		if cmd.RunE == nil && cmd.Run == nil { // completion; without it any argument would do
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for flag, complete := range map[string]cobra.CompletionFunc{
		"cert": completeFiles, "hub-cert": completeFiles, "authorized": completeFiles, "interface": completeInterface,
	} {
		_ = root.RegisterFlagCompletionFunc(flag, complete) // it fails if there is no such flag
	}
}

// completeInterface completes the names of interfaces.
func completeInterface(*cobra.Command, []string, string) (names []string, how cobra.ShellCompDirective) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return append(names, "*"), cobra.ShellCompDirectiveNoFileComp
}

// completeFiles has the shell complete names of files, as for arguments of other programs.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// unknownCommand says that a command has no such subcommand, and which may have been meant.
func unknownCommand(cmd *cobra.Command, word string) error {
	const alike = 2 // letters that may differ
	cmd.SuggestionsMinimumDistance = alike
	text := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	if meant := cmd.SuggestionsFor(word); len(meant) > 0 {
		text += "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return usageError{fmt.Errorf("%s", text)}
}

// withoutBackquotes writes what shells show beside a flag. The backquotes around the word
// that stands for its value are for --help only.
type withoutBackquotes struct{ io.Writer }

func (w withoutBackquotes) Write(b []byte) (int, error) {
	_, err := w.Writer.Write(bytes.ReplaceAll(b, []byte("`"), nil))
	return len(b), err
}
