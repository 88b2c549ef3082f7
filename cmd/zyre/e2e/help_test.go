//go:build unix

package e2e

import (
	"strings"
	"testing"
)

// Shells complete commands, flags, interfaces, and files where there are any.
func TestHelp_completion(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"pe|", "peers\tList"},
		{"help ce|", "cert\t"},
		{"peers --peer-p|", "--peer-port"},
		{"peers --interface|", "--interface"},
		{"peers --interface |", "lo\n"},
		{"peers |", ":4\n"},                       // no files
		{"cert show |", ":0\n"},                   // files
		{"peers --cert |", ":0\n"},                // files
		{"hub --authorized |", ":0\n"},            // files
		{"completion |", "bash\tGenerate the"},    // shells
		{"sub --g|", "--group\tGROUP to join or"}, // what the flag is
	} {
		line, _ := strings.CutSuffix(c.args, "|")
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		out, _ := zyreRun(t, 0, args...)
		checkContains(t, c.args, out, c.want)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, _ := zyreRun(t, 0, "completion", shell); !strings.Contains(out, "zyre") {
			t.Errorf("completion %s = %q", shell, out)
		}
	}
}
