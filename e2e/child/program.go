//go:build unix

package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/watch"
)

// A Program is any process that writes lines, and ends when its input does.
type Program struct {
	// set by StartProgram, then read-only
	t     testing.TB
	Name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	take  func(line string) // what to do with a line, if not to keep it

	once sync.Once // ends it

	mu    sync.Mutex
	lines []string      // what it wrote
	taken int           // how many of them Expect has passed
	news  chan struct{} // closed when there are more
	ended bool
}

// StartProgram runs a program until the end of the test. The name is for failures.
func StartProgram(t testing.TB, name string, env []string, argv ...string) *Program {
	t.Helper()
	p := &Program{t: t, Name: name}
	p.take = p.keep
	p.start(env, argv...)
	return p
}

func (p *Program) start(env []string, argv ...string) {
	p.t.Helper()
	p.news = make(chan struct{})
	p.cmd = exec.CommandContext(context.WithoutCancel(p.t.Context()), argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go p.read(out) // ends with the process
	p.t.Cleanup(p.End)
}

func (p *Program) read(out io.Reader) {
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		p.take(scanner.Text())
	}
	p.change(func() { p.ended = true })
}

func (p *Program) keep(line string) {
	p.change(func() { p.lines = append(p.lines, line) })
}

func (p *Program) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.news)
	p.news = make(chan struct{})
}

// changed returns a channel that is closed at the next line, or at the end.
func (p *Program) changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.news
}

// Expect waits for a line that matches a regular expression, skipping others, and
// returns it.
func (p *Program) Expect(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	patience := time.NewTimer(watch.Patience)
	defer patience.Stop()
	for {
		line, news, found := p.next(re)
		if found {
			return line
		}
		if news == nil {
			p.t.Fatalf("%s ended without a line %q; it wrote:\n%s", p.Name, pattern, p.Output())
		}
		select {
		case <-news:
		case <-patience.C:
			p.t.Fatalf("%s wrote no line %q; it wrote:\n%s", p.Name, pattern, p.Output())
		}
	}
}

// next takes lines until one matches. News is nil when no more can come.
func (p *Program) next(re *regexp.Regexp) (line string, news <-chan struct{}, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.taken < len(p.lines) {
		line := p.lines[p.taken]
		p.taken++
		if re.MatchString(line) {
			return line, p.news, true
		}
	}
	if p.ended {
		return "", nil, false
	}
	return "", p.news, false
}

// Lines returns those of the lines so far that match a regular expression.
func (p *Program) Lines(pattern string) (found []string) {
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if re.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// Output is all that the process has written so far, beside what was not kept.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// Ended reports whether the process is gone.
func (p *Program) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// Say writes the process a line.
func (p *Program) Say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("%s: say %q: %v", p.Name, line, err)
	}
}

// PID is the number of the process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Signal sends the process a signal.
func (p *Program) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: signal %v: %v", p.Name, s, err)
	}
}

// End closes the input of the process, which is how it is asked to end, and kills it if
// it does not. It must end without an error.
func (p *Program) End() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // in case it is frozen
		p.stdin.Close()
		kill := time.AfterFunc(watch.Patience, func() { p.cmd.Process.Kill() })
		defer kill.Stop()
		if err := p.cmd.Wait(); err != nil && !p.t.Failed() {
			p.t.Errorf("%s: %v; it wrote:\n%s", p.Name, err, p.Output())
		}
	})
}

// Kill ends the process at once, as SIGKILL does.
func (p *Program) Kill() {
	p.once.Do(func() {
		p.cmd.Process.Kill()
		_ = p.cmd.Wait() // tells that it was killed
	})
}

// CPU returns the processor time that the process has used.
func (p *Program) CPU() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		p.t.Fatal(err)
	}
	var user, system int
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		p.t.Fatalf("%s: %q: %v", p.Name, b, err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Waited returns how long each thread of a process has been ready to run and had no processor so
// far: what a busy machine adds to the time of an answer. It is empty where the system does not
// tell.
func Waited(pid int) map[string]time.Duration {
	waited := map[string]time.Duration{}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		var ran, waits time.Duration
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		if _, err := fmt.Sscan(string(b), &ran, &waits); err == nil {
			waited[file] = waits
		}
	}
	return waited
}

// Descriptors counts the files that the process has open.
func (p *Program) Descriptors() int {
	p.t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(fds)
}
