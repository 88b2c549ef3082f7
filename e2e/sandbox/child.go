package sandbox

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inChild says in the environment of a process which test it was started for.
const inChild = "ZYRE_TEST_CHILD"

// InChild runs a test once more in a process of its own, which may lose what it needs or be
// aborted, and reports whether this is that process. If it is not, the test is over: it has
// failed, or was skipped, as it did there.
func InChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inChild) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inChild+"="+t.Name())
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("child: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	return false
}
