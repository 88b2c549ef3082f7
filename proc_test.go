package zyre

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperEnv names the helper that a copy of the test binary is to run.
const helperEnv = "ZYRE_TEST_HELPER"

// Some tests need a node in a process of its own, to stop it, to kill it, to put it on
// another host, or to measure it. Such a process is this test binary again, running
// nothing but one of the helpers: they read lines from in until it ends, and write
// lines to out.
var helpers = map[string]func(args []string, in io.Reader, out io.Writer) error{}

// registerHelper adds a helper. Use it as: var _ = registerHelper("name", f).
func registerHelper(name string, f func(args []string, in io.Reader, out io.Writer) error) bool {
	helpers[name] = f
	return true
}

// TestHelperProcess is not a test: it is where the processes start.
func TestHelperProcess(t *testing.T) {
	call := os.Getenv(helperEnv)
	if call == "" {
		t.Skip("runs only as a process of other tests")
	}
	args := strings.Split(call, "\n")
	f, ok := helpers[args[0]]
	if !ok {
		t.Fatalf("no helper %q", args[0])
	}
	if err := f(args[1:], os.Stdin, os.Stdout); err != nil {
		t.Fatal(err)
	}
}

// testProc is a process that a test talks with by lines.
type testProc struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	once  sync.Once

	mu    sync.Mutex
	lines []string      // what it wrote
	taken int           // how many of them expect has passed
	more  chan struct{} // has a value when there may be news
	ended bool
}

// startHelper runs a registered helper in a process, behind a command prefix
// such as "ip netns exec NAME". The process is ended at the end of the test.
func startHelper(t *testing.T, prefix []string, helper string, args ...string) *testProc {
	t.Helper()
	argv := append(append([]string{}, prefix...), os.Args[0], "-test.run=^TestHelperProcess$", "-test.v=false")
	env := []string{
		helperEnv + "=" + strings.Join(append([]string{helper}, args...), "\n"),
		"GORACE=atexit_sleep_ms=0", // the race detector waits a second by default
	}
	return startProc(t, helper, env, argv...)
}

// startProc runs any program as a testProc.
func startProc(t *testing.T, name string, env []string, argv ...string) *testProc {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &testProc{t: t, name: name, cmd: cmd, stdin: stdin, more: make(chan struct{}, 1)}
	go p.read(out) // ends with the process
	t.Cleanup(p.stop)
	return p
}

func (p *testProc) read(out io.Reader) {
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		p.note(func() { p.lines = append(p.lines, scanner.Text()) })
	}
	p.note(func() { p.ended = true })
}

func (p *testProc) note(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// expect waits for a line that matches, skipping others, and returns it.
func (p *testProc) expect(pattern string) string {
	p.t.Helper()
	line, ok := p.find(pattern, patience)
	if !ok {
		p.t.Fatalf("%s wrote no line %q; it wrote:\n%s", p.name, pattern, p.output())
	}
	return line
}

// find waits for a line that matches, for a time.
func (p *testProc) find(pattern string, wait time.Duration) (string, bool) {
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		for p.taken < len(p.lines) {
			line := p.lines[p.taken]
			p.taken++
			if re.MatchString(line) {
				p.mu.Unlock()
				return line, true
			}
		}
		ended := p.ended
		p.mu.Unlock()
		if ended {
			return "", false
		}
		select {
		case <-p.more:
		case <-deadline.C:
			return "", false
		}
	}
}

// skip forgets the lines written so far.
func (p *testProc) skip() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = len(p.lines)
}

// count tells how many lines so far begin with a word or words.
func (p *testProc) count(prefix string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if strings.HasPrefix(l+" ", prefix+" ") {
			n++
		}
	}
	return n
}

// output is all that the process has written so far.
func (p *testProc) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// send writes a line to the process.
func (p *testProc) send(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		p.t.Fatalf("write to %s: %v", p.name, err)
	}
}

// signal sends the process a signal.
func (p *testProc) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: signal %v: %v", p.name, s, err)
	}
}

// stop closes the standard input of the process, which is how it is asked to
// end, and kills it if it does not.
func (p *testProc) stop() {
	p.once.Do(func() {
		p.stdin.Close()
		kill := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
		defer kill.Stop()
		if err := p.cmd.Wait(); err != nil && !p.t.Failed() {
			p.t.Errorf("%s: %v; it wrote:\n%s", p.name, err, p.output())
		}
	})
}

// kill ends the process at once, as SIGKILL does.
func (p *testProc) kill() {
	p.once.Do(func() {
		p.cmd.Process.Kill()
		_ = p.cmd.Wait() // tells that it was killed
	})
}
