//go:build unix

package child

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-zyre/zyre"
)

// childEnv is set in the environment of a process that is a child.
const childEnv = "ZYRE_E2E_CHILD"

// maxLine bounds a line of the protocol.
const maxLine = 256 << 20

// Verbs are commands that a package adds for its own tests, by name.
type Verbs map[string]func(r *Reporter, c Command) (answer any, err error)

// Main runs the tests, or the child if this process is one, and returns the status with
// which TestMain is to exit.
func Main(m *testing.M, verbs Verbs) (status int) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // warnings of nodes without a logger
	if os.Getenv(childEnv) == "" {
		return m.Run()
	}
	stderr := os.Stderr
	if err := run(os.Stdin, os.Stdout, verbs); err != nil {
		fmt.Fprintln(stderr, "child:", err)
		return 1
	}
	return 0
}

// A Reporter writes what a child has to say. It may be used by many goroutines.
type Reporter struct {
	mu  sync.Mutex
	out io.Writer
}

func (r *Reporter) write(line report) {
	b, err := json.Marshal(line)
	if err != nil {
		b = fmt.Appendf(nil, "cannot report %+v: %v", line, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.out.Write(append(b, '\n')) // a parent that is gone reads no error either
}

// Fault reports that the process has found something wrong.
func (r *Reporter) Fault(format string, args ...any) {
	r.write(report{Fault: fmt.Sprintf(format, args...)})
}

// logWriter makes reports of the lines of a log.
type logWriter struct{ *Reporter }

func (w logWriter) Write(b []byte) (int, error) {
	w.write(report{Log: strings.TrimSuffix(string(b), "\n")})
	return len(b), nil
}

// inside is the state of a child.
type inside struct {
	*Reporter
	verbs   Verbs
	names   []string // of the nodes, in the order they were made
	nodes   map[string]*node
	beacons map[string]*zyre.Beacon
	flood   *flood
	conns   []io.Closer
}

// run carries out commands until the input ends.
func run(in io.Reader, out io.Writer, verbs Verbs) error {
	c := &inside{
		Reporter: &Reporter{out: out}, verbs: verbs,
		nodes: map[string]*node{}, beacons: map[string]*zyre.Beacon{},
	}
	defer c.end()
	redirectStderr(c.Reporter)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var command Command
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			return fmt.Errorf("command %q: %w", lines.Text(), err)
		}
		answer, err := c.dispatch(command)
		if err != nil {
			c.write(report{Error: err.Error()})
			continue
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return fmt.Errorf("answer to %q: %w", lines.Text(), err)
		}
		c.write(report{Answer: text})
	}
	return lines.Err()
}

func (c *inside) end() {
	_, _ = c.dispatch(Command{Do: "halt"})
	for _, b := range c.beacons {
		b.Close()
	}
	for _, conn := range c.conns {
		conn.Close()
	}
	_ = c.each("", (*node).stop)
}

// dispatch carries out one command.
func (c *inside) dispatch(command Command) (answer any, err error) {
	if verb, ok := c.verbs[command.Do]; ok {
		return verb(c.Reporter, command)
	}
	switch command.Do {
	case "node":
		return c.makeNode(command)
	case "beacon":
		return c.makeBeacon(command)
	}
	var with arguments
	if len(command.With) > 0 {
		if err := json.Unmarshal(command.With, &with); err != nil {
			return nil, err
		}
	}
	switch command.Do {
	case "publish":
		b := c.beacons[command.Node]
		if b == nil {
			return nil, fmt.Errorf("no Beacon %q", command.Node)
		}
		return nil, b.SetBeaconCmd(&zyre.Cmd{ID: "PUBLISH", Payload: with.Datagram}).Err
	case "limit":
		return nil, limitFiles(with.Files)
	case "usage":
		return readUsage()
	case "flood":
		c.flood, err = startFlood(with.To, with.Rate)
		return nil, err
	case "halt":
		return c.flood.halt(), nil
	case "connect":
		return c.connect(with.To, with.Count), nil
	case "tallies", "stats", "poke", "dump", "start":
		return c.ask(command)
	case "stop", "read", "join", "leave", "shout", "whisper", "number":
		return nil, c.each(command.Node, func(n *node) error { return n.dispatch(command.Do, with) })
	}
	return nil, fmt.Errorf("unknown command %q", command.Do)
}
