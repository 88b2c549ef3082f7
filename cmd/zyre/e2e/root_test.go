//go:build unix

package e2e

import (
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

func TestZyre_exitStatus(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		stderr string
	}{
		{"", 0, ""},
		{"--help", 0, ""},
		{"help peers", 0, ""},
		{"completion bash", 0, ""},
		{"bogus", 2, `unknown command "bogus"`},
		{"--bogus", 2, "unknown flag: --bogus"},
		{"peers more", 2, "unknown command"},
		{"peers --port x", 2, `invalid argument "x"`},
		{"ZYRE_PORT=x peers", 2, "environment variable ZYRE_PORT"},
		{"ping --every 0", 2, "--every"},
		{"pub", 2, "either a group"},
		{"pub group --to bob", 2, "either a group"},
		{"pub group --whole --chunk 3", 2, "--chunk"},
		{"sub --raw --json", 2, "--raw"},
		{"cert new", 2, "accepts 1 arg"},
		{"hub nowhere", 2, "hub nowhere"},
		{"peers --interface nix", 1, "no such network interface"},
		{"peers --interface lo --port 70000", 1, "must be 1 to 65535"},
		{"peers --interface lo --cert nix", 1, "nix"},
		{"peers --interface lo --authorized nix", 2, "--authorized needs --cert"},
		{"ZYRE_INTERFACE=nix peers", 1, "no such network interface"},
		{"cert show nix", 1, "nix"},
	} {
		t.Run(c.args, func(t *testing.T) {
			_, stderr := zyreRun(t, c.status, strings.Fields(c.args)...)
			checkContains(t, "stderr", stderr, c.stderr)
			if c.status == 0 && stderr != "" {
				t.Errorf("stderr is %q, want nothing", stderr)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	out, _ := zyreRun(t, 0, "version")
	major, _, _ := zmq.Version()
	checkContains(t, "zyre version", out, "zyre", "libzmq", "zmq4", "v1.")
	v := decode[struct {
		Zyre, Libzmq string
		Curve        bool
	}](t, firstOf(zyreRun(t, 0, "version", "--json")))
	if len(v) != 1 || v[0].Zyre == "" || !strings.HasPrefix(v[0].Libzmq, string(rune('0'+major))+".") || !v[0].Curve {
		t.Errorf("zyre version --json = %+v, want versions", v)
	}
}
