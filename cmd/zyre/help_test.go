package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// zyreRun runs one command line that makes no node.
func zyreRun(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if got := run(t.Context(), args, strings.NewReader(""), &out, &errOut); got != status {
		t.Errorf("zyre %q: exit status %d, want %d: %s", args, got, status, &errOut)
	}
	return out.String(), errOut.String()
}

func checkContains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s is\n%s\nwant %q in it", what, text, w)
		}
	}
}

// Every command has help of its own, with lines that fit into a terminal.
func TestHelp(t *testing.T) {
	a := &app{out: newPrinter(io.Discard), errOut: newPrinter(io.Discard)}
	for _, cmd := range allCommands(newRoot(a)) {
		words := strings.Fields(cmd.CommandPath())[1:]
		if slices.Contains(words, "completion") && len(words) > 1 {
			continue // cobra's
		}
		out, _ := zyreRun(t, 0, append(slices.Clone(words), "--help")...)
		if viaHelp, _ := zyreRun(t, 0, append([]string{"help"}, words...)...); viaHelp != out {
			t.Errorf("zyre help %s is\n%s\nand --help\n%s", strings.Join(words, " "), viaHelp, out)
		}
		for line := range strings.Lines(out) {
			if len(strings.TrimSuffix(line, "\n")) > helpWidth {
				t.Errorf("%s --help has a line of %d characters: %s", cmd.CommandPath(), len(line), line)
			}
		}
	}
	out, _ := zyreRun(t, 0, "peers", "--help")
	checkContains(t, "zyre peers --help", out, "Examples:", "--count NUMBER", "--interface NAME", "ZYRE_PEER_PORT")
	if strings.Index(out, "--name") > strings.Index(out, "--authorized") {
		t.Errorf("the flags of all commands are sorted by name:\n%s", out)
	}
}

// Who errs is told what may have been meant.
func TestHelp_unknown(t *testing.T) {
	for args, want := range map[string]string{
		"peer":             "did you mean peers or perf?",
		"cert shwo":        "did you mean show?",
		"help bogus":       `unknown command "bogus"`,
		"help cert bogus":  `unknown command "bogus" for "zyre cert"`,
		"completion bogus": `unknown command "bogus" for "zyre completion"`,
	} {
		_, stderr := zyreRun(t, 2, strings.Fields(args)...)
		checkContains(t, "zyre "+args, stderr, want)
	}
}

// Every common flag can be set in the environment; the command line comes first.
func TestFlags_environment(t *testing.T) {
	values := map[string]string{
		"name": "bob", "uuid": "0123456789ABCDEF0123456789ABCDEF", "interface": "lo", "port": "5671", "peer-port": "4000",
		"endpoint": "tcp://127.0.0.1:*", "group": "hall,kitchen", "hub": "tcp://127.0.0.1:9999", "hub-cert": "hub.pub",
		"cert": "bob_secret", "authorized": "friends", "interval": "250ms", "evasive": "1s", "silent": "2s", "expired": "3s",
		"json": "true", "verbose": "true",
	}
	for name, value := range values {
		t.Setenv(envName(name), value)
	}
	prepared := func() *app {
		a := &app{out: newPrinter(io.Discard), errOut: newPrinter(io.Discard)}
		a.register(pflag.NewFlagSet("zyre", pflag.ContinueOnError))
		return a
	}
	a := prepared()
	if err := a.prepare(nil); err != nil {
		t.Fatal(err)
	}
	a.flags.VisitAll(func(f *pflag.Flag) {
		want, ok := values[f.Name]
		if !ok {
			t.Errorf("the test has no value for --%s", f.Name)
		}
		if got := strings.Trim(f.Value.String(), "[]"); got != want {
			t.Errorf("--%s = %q, want %q of %s", f.Name, got, want, envName(f.Name))
		}
	})
	b := prepared()
	if err := errors.Join(b.flags.Parse([]string{"--name", "alice"}), b.prepare(nil)); err != nil {
		t.Fatal(err)
	}
	if b.name != "alice" || b.iface != "lo" {
		t.Errorf("name %q, interface %q, want alice of the command line and lo of the environment", b.name, b.iface)
	}
}
