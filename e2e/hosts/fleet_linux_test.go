package hosts

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// buildFleet builds the example application and makes certificates for some agents.
func buildFleet(t *testing.T, agents ...string) (program, certs string) {
	t.Helper()
	program, certs = filepath.Join(t.TempDir(), "fleet"), t.TempDir()
	commands := [][]string{{"go", "build", "-o", program, "../../examples/fleet"}}
	for _, name := range agents {
		commands = append(commands, []string{program, "-make", name, "-certs", certs})
	}
	for _, argv := range commands {
		if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
	}
	return program, certs
}

// The example application does on separate hosts what it says: agents meet, encrypted,
// elect a coordinator, send a file of 50 MB, and shut out one whose certificate is
// deleted. One that ends is followed by another coordinator.
func TestNet_fleet(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "alice", "bob", "carol")
	program, certs := buildFleet(t, "alice", "bob", "carol")
	content := make([]byte, 50<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	big := filepath.Join(certs, "big.bin")
	if err := os.WriteFile(big, content, 0o600); err != nil {
		t.Fatal(err)
	}
	stores := t.TempDir()
	agent := func(i int, more ...string) *child.Program {
		argv := []string{program, "-name", hosts[i].Name, "-certs", certs, "-iface", "eth0", "-files", stores}
		return hosts[i].Program(append(argv, more...)...)
	}
	alice := agent(0)
	alice.Expect("msg=coordinator .*peer=alice")
	bob := agent(1, "-send", big)
	alice.Expect("msg=enter .*peer=bob")
	alice.Expect("msg=stored .*from=bob")
	bob.Expect(`msg=sent .*to=alice err=<nil>`)
	if got, err := os.ReadFile(filepath.Join(stores, "big.bin")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes were stored, %v, want the file", len(got), err)
	}
	carol := agent(2)
	alice.Expect("msg=enter .*peer=carol")
	carol.Expect("msg=stored .*from=bob")
	if err := os.Remove(filepath.Join(certs, "public", "carol")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*child.Program{alice, bob} {
		p.Expect(`msg=exit .*peer=carol reason="key revoked"`)
	}
	for _, p := range []*child.Program{carol, alice} {
		start := time.Now()
		p.Signal(syscall.SIGTERM)
		watch.Until(t, "the agent ends", p.Ended)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v to end", p.Name, took)
		}
	}
	bob.Expect("msg=exit .*peer=alice reason=goodbye")
	bob.Expect("msg=coordinat(or .*peer=bob|ing)")
	bob.Signal(syscall.SIGTERM)
	watch.Until(t, "the agent ends", bob.Ended)
}
