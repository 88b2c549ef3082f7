package libzmq

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Without cgo the compiler says what to install.
func TestNoCgo(t *testing.T) {
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	build := exec.CommandContext(t.Context(), gotool, "build", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err == nil {
		t.Fatal("go build without cgo succeeded")
	}
	if want := "install a C compiler, pkg-config and libzmq"; !strings.Contains(string(out), want) {
		t.Errorf("go build without cgo says\n%s\nwant %q in it", out, want)
	}
}
