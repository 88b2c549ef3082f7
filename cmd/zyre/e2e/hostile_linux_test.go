package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-zyre/zyre/e2e/kit"
)

// Names that strangers may choose.
var hostileNames = map[string]string{
	"escape sequences": hostile,
	"255 bytes":        strings.Repeat("W", 255),
	"right to left":    "שלום \u202egpj.exe\u2066",
	"invalid UTF-8":    "\xff\xfe\xc0\xaf\x9b31m",
	"lines":            "one\ntwo\r\n\u2028three\x00",
}

// Whatever a node is called, what commands write to pipes and files are lines of visible
// characters and tabs, and with --json an object each.
func TestHostile_everyCommand(t *testing.T) {
	for what, name := range hostileNames {
		t.Run(what, func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			z := kit.NewNode(t, name, port)
			z.Join("hall")
			z.Join("a group" + name[:min(len(name), 200)])
			kit.MustStart(t, z)
			serve := start(t, local(port, "perf", "--serve", "--name", strings.ReplaceAll(name, "\x00", ""))...)
			serve.logged(`(answers measurements)`)
			for _, command := range []string{
				"peers --count 2", "ping --count 1 --every 100ms", "doctor --listen 1s", "monitor --json", "chat", "sub hall",
				"perf --duration 10ms --sizes 10 --rounds 2 --html " + filepath.Join(t.TempDir(), "perf.html"),
			} {
				for _, mode := range []string{"", "--json"} {
					checkVisible(t, local(port, append(strings.Fields(command+" "+mode), "--name", "victim")...))
				}
			}
		})
	}
}

// checkVisible runs a command for long enough to see the hostile node, and checks its output.
func checkVisible(t *testing.T, args []string) {
	t.Helper()
	p := start(t, args...)
	switch args[0] {
	case "monitor":
		p.expect(`"JOIN"`)
		p.signal(syscall.SIGINT)
	case "chat":
		p.expect("hall")
		p.typed("/who\n/w nobody\x1b x\n/quit\n")
	case "sub":
		p.signal(syscall.SIGINT)
	}
	<-p.done
	if status := p.cmd.ProcessState.ExitCode(); status != 0 && args[0] != "doctor" && args[0] != "sub" {
		t.Errorf("%q: exit status %d: %s", args, status, p.errOut)
	}
	for line := range strings.Lines(p.out.String() + p.errOut.String()) {
		text := strings.TrimSuffix(line, "\n")
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
			t.Errorf("%q wrote %q", args, line)
		}
	}
	for _, arg := range args {
		if arg != "--json" {
			continue
		}
		for line := range strings.Lines(p.out.String()) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Errorf("%q wrote %q: %v", args, line, err)
			}
		}
	}
}
