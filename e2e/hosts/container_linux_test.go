package hosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// buildImage makes a directory that has what the image of the recipe has: the program, built
// as its Dockerfile says, the shared libraries that it loads, and nothing else.
func buildImage(t *testing.T) (root string) {
	t.Helper()
	dockerfile, err := os.ReadFile("../../examples/recipes/container/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`(?m)^RUN (go build) -o /node (.*)$`).FindStringSubmatch(string(dockerfile))
	for _, line := range []string{"COPY --from=build /node /node", "USER nobody", `ENTRYPOINT ["/node"]`} {
		if build == nil || !strings.Contains(string(dockerfile), "\n"+line+"\n") {
			t.Fatalf("the Dockerfile has no build of /node, or no line %s", line)
		}
	}
	root = t.TempDir()
	run := func(line string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	node := filepath.Join(root, "node")
	run(fmt.Sprintf("%s -o %s %s && chmod 755 %s && mkdir %[4]s/proc %[4]s/sys", build[1], node, build[2], root))
	for _, library := range regexp.MustCompile(`/\S+`).FindAllString(strings.ReplaceAll(run("ldd "+node), node, ""), -1) {
		run(fmt.Sprintf("mkdir -p %s && cp -L %s %[1]s/", filepath.Join(root, filepath.Dir(library)), library))
	}
	return root
}

// contained runs the image as a container does: its root is all that there is of files, the
// user is nobody, and the program is process 1.
func contained(h *netns.Host, root string, env ...string) *child.Program {
	const script = `mount -t proc proc "$0/proc" && mount -t sysfs sysfs "$0/sys" && exec chroot --userspec=65534:65534 "$0" /node`
	argv := append([]string{"env", "-i", "PATH=" + os.Getenv("PATH")}, env...)
	return h.Program(append(argv, "unshare", "--pid", "--mount", "--fork", "sh", "-c", script, root)...)
}

// inside returns the process 1 of a container.
func inside(t *testing.T, p *child.Program) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// Two containers on one network find each other with nothing set, and one that is stopped as
// docker stop does it says goodbye.
func TestNet_container(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "alice", "bob")
	root := buildImage(t)
	alice := contained(hosts[0], root, "ZYRE_NAME=alice")
	bob := contained(hosts[1], root, "ZYRE_NAME=bob", "ZYRE_GROUPS=hall,kitchen")
	alice.Expect(`^ENTER \w+ "bob" endpoint "tcp://10\.78\.0\.2:`)
	alice.Expect(`^JOIN \w+ "bob" group "kitchen"`)
	bob.Expect(`^ENTER \w+ "alice"`)
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", inside(t, bob))); err != nil ||
		!strings.Contains(string(status), "\nUid:\t65534\t") || !regexp.MustCompile(`\nNSpid:.*\t1\n`).Match(status) {
		t.Errorf("bob is not process 1, or not of nobody: %v\n%s", err, status)
	}
	start := time.Now()
	if err := syscall.Kill(inside(t, bob), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	alice.Expect(`^EXIT \w+ "bob" .*reason "goodbye"`)
	watch.Until(t, "the container ends", bob.Ended)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("bob took %v to end", took)
	}
	if err := syscall.Kill(inside(t, alice), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
