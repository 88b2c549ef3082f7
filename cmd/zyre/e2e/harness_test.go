//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestMain(m *testing.M) {
	if os.Getenv(noNetlink) != "" {
		fmt.Fprintln(os.Stderr, execWithoutNetlink(os.Args[1:])) // it returns only an error
		os.Exit(99)
	}
	// Those of several hosts wait most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := child.Main(m, child.Verbs{"hold": hold})
	_ = os.RemoveAll(programDir) // "" is none
	os.Exit(status)
}

// noNetlink in the environment has a process run the program in its arguments, without
// netlink.
const noNetlink = "ZYRE_TEST_NO_NETLINK"

// execWithoutNetlink is set where that is possible.
var execWithoutNetlink = func([]string) error { return errors.ErrUnsupported }

// held is what hold has bound; it stays open until the child ends.
var held net.PacketConn

// hold makes a child hold a UDP address, without sharing it.
func hold(_ *child.Reporter, c child.Command) (answer any, err error) {
	var address string
	if err := json.Unmarshal(c.With, &address); err != nil {
		return nil, err
	}
	held, err = net.ListenPacket("udp4", address)
	return nil, err
}

var programDir string // where the command is, once it was built

// command builds the command zyre at the first call, and returns its path. It has the race
// detector in it, but not in an endurance run, which measures the program as its users have it.
var command = sync.OnceValues(func() (string, error) {
	var err error
	if programDir, err = os.MkdirTemp("", "zyre"); err != nil {
		return "", err
	}
	path := filepath.Join(programDir, "zyre")
	args := []string{"build", "-tags=e2e", "-buildvcs=false", "-race=" + strconv.FormatBool(!isSoak()), "-o", path, ".."}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// isSoak reports whether this is an endurance run.
func isSoak() bool { return os.Getenv("ZYRE_SOAK") != "" }

// buffer keeps what a process writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// process is a zyre that runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *buffer
	errOut *buffer
	done   chan struct{}  // closed when it has ended, and all that it wrote is in out
	reads  sync.WaitGroup // of its terminal, if it has one
}

// prepare makes a command line of zyre that has not started, behind the words of a command
// that runs another, such as ip netns exec NAME. Arguments NAME=VALUE in front of the others
// go into the environment.
func prepare(t *testing.T, prefix []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := command()
	must(t, err)
	argv, env := append(slices.Clone(prefix), path), []string{"GORACE=atexit_sleep_ms=0", "NO_COLOR="}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		if args[0] == noNetlink+"=1" {
			argv = append(slices.Clone(prefix), os.Args[0], path)
		}
		env, args = append(env, args[0]), args[1:]
	}
	argv = append(argv, args...)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// start starts zyre, and ends it with the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startOn(t, nil, args...)
}

func startOn(t *testing.T, prefix []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: prepare(t, prefix, args...), out: &buffer{}, errOut: &buffer{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errOut
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p.run()
	return p
}

// run starts the prepared command.
func (p *process) run() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the status is looked at by who waits
		p.reads.Wait()
	}()
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if p.t.Failed() {
			p.t.Logf("%q wrote\n%s%s", p.cmd.Args[1:], p.out, p.errOut)
		}
	})
}

// signal sends a signal to the process.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// typed gives the process input.
func (p *process) typed(text string) {
	p.t.Helper()
	if _, err := p.stdin.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits until the process has ended and checks its exit status.
func (p *process) wait(status int) {
	p.t.Helper()
	watch.Until(p.t, strings.Join(p.cmd.Args[1:], " ")+" ends", func() bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	})
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Fatalf("zyre %s: exit status %d, want %d\n%s%s", strings.Join(p.cmd.Args[1:], " "), got, status, p.out, p.errOut)
	}
}

// expect waits until the process has written a text to standard output.
func (p *process) expect(text string) {
	p.t.Helper()
	watch.Until(p.t, "zyre "+strings.Join(p.cmd.Args[1:], " ")+" writes "+strconv.Quote(text), func() bool {
		return strings.Contains(p.out.String(), text)
	})
}

// zyreRun runs zyre to its end and returns what it wrote.
func zyreRun(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	p := start(t, args...)
	_ = p.stdin.Close()
	p.wait(status)
	return p.out.String(), p.errOut.String()
}

// local are the flags that keep a node on this host, with beacons on a UDP port.
func local(port int, args ...string) []string {
	return append(args, "--interface", "lo", "--port", strconv.Itoa(port), "--interval", "100ms")
}

// decode reads lines of JSON, each of which must be an object.
func decode[T any](t *testing.T, text string) (all []T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var v T
		err := decoder.Decode(&v)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		all = append(all, v)
	}
	if lines := strings.Count(text, "\n"); lines != len(all) {
		t.Errorf("%d objects in %d lines, want one in each:\n%s", len(all), lines, text)
	}
	return all
}

// checkContains fails the test unless a text has all the others in it.
func checkContains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s is\n%s\nwant %q in it", what, text, w)
		}
	}
}

func firstOf(s, _ string) string { return s }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hasControls reports whether a text has anything but visible characters and spaces.
func hasControls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
