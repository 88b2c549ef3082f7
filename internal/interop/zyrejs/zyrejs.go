// Package zyrejs runs zyre.js nodes, one process each, for the tests that let this
// module's nodes talk to that implementation. Only tests import it.
//
// The first [Start] on a machine installs zyre.js with npm into node_modules beside
// this file. A node uses the loopback interface unless told otherwise; it never picks
// an interface by itself.
package zyrejs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxLine bounds one line of a node's output: an event with its message in base64.
const maxLine = 64 << 20

// stopDelay is how long a process that was told to stop may take.
const stopDelay = 10 * time.Second

// ErrEnded is wrapped by the error of a command to a node whose process has ended.
var ErrEnded = errors.New("the zyre.js process has ended")

// Options says what node to start. BeaconPort is required, all else may be zero.
type Options struct {
	Name       string            // its name; zyre.js makes one up if empty
	Headers    map[string]string // what its HELLO carries
	Interface  string            // interface name or IPv4 address; "lo" if empty
	BeaconPort int               // UDP port of the beacons
	Port       int               // TCP port; a free one if 0
	Interval   time.Duration     // between beacons; 1 s if 0
	Evasive    time.Duration     // silence before a PING; 5 s if 0
	Expired    time.Duration     // silence before a peer is given up; 30 s if 0
	Prefix     []string          // command to run Node under: "ip", "netns", "exec", "h1"
	Stderr     io.Writer         // where the process's complaints go; os.Stderr if nil
}

// Event is one line of a node's output. Kind is zyre.js's word: connect, disconnect,
// expired, join, leave, whisper or shout. UUIDs are in upper case, as package zyre
// writes them.
type Event struct {
	// of every event, as far as its kind has it
	Kind    string            `json:"event"`
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Group   string            `json:"group"`
	Message []byte            `json:"message"`
	Headers map[string]string `json:"headers"`

	Endpoint string          `json:"endpoint"` // of "started"
	Seq      int             `json:"seq"`      // of "done" and "error": the command's
	Value    json.RawMessage `json:"value"`    // of "done"
	Text     string          `json:"text"`     // of "error"
}

// Peer is a zyre.js node in a process of its own. Its methods may be used by many
// goroutines; commands are carried out one after the other.
type Peer struct {
	// set by Start, then read-only
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	uuid     string
	endpoint string
	events   chan Event
	quit     chan struct{} // closed by Close: nobody reads events any more
	ended    chan struct{} // closed when the process has ended
	quitOnce sync.Once

	mu      sync.Mutex // also held while a command is written
	seq     int
	waiting map[int]chan Event

	exitErr error // set by read before it closes ended
}

// Start starts a node and waits until it listens and beacons. Cancelling ctx stops it as
// [Peer.Close] does. The error wraps [ErrUnavailable] where there is no Node or no npm.
func Start(ctx context.Context, o Options) (*Peer, error) {
	if o.BeaconPort == 0 {
		return nil, errors.New("zyrejs: start: no beacon port given")
	}
	dir, err := install()
	if err != nil {
		return nil, err
	}
	args, err := o.args(dir)
	if err != nil {
		return nil, fmt.Errorf("zyrejs: start: %w", err)
	}
	p := &Peer{
		cmd:     exec.CommandContext(ctx, args[0], args[1:]...),
		events:  make(chan Event),
		quit:    make(chan struct{}),
		ended:   make(chan struct{}),
		waiting: make(map[int]chan Event),
	}
	p.cmd.Stderr = o.Stderr
	if o.Stderr == nil {
		p.cmd.Stderr = os.Stderr
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("zyrejs: start: %w", err)
	}
	p.cmd.WaitDelay = stopDelay
	p.cmd.Cancel = func() error {
		_ = p.stdin.Close() // the end of its input stops the node
		return nil
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("zyrejs: start: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("zyrejs: start: %w", err)
	}
	lines := make(chan Event)
	started := make(chan Event, 1)
	p.waiting[0] = started // "started" has no seq
	go p.read(stdout, lines)
	go p.pump(lines)
	e, err := p.answer(ctx, 0, started)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zyrejs: start: %w", err), p.Close())
	}
	p.uuid, p.endpoint = e.ID, e.Endpoint
	return p, nil
}

// args gives the command line of a node.
func (o Options) args(dir string) ([]string, error) {
	if o.Port == 0 {
		// zyre.js looks for a free port itself, but two nodes that start together
		// find the same one.
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		o.Port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	args := append([]string{}, o.Prefix...)
	args = append(args, "node", filepath.Join(dir, "peer.js"),
		"--bport", strconv.Itoa(o.BeaconPort), "--port", strconv.Itoa(o.Port))
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag+"="+value)
		}
	}
	add("--name", o.Name)
	add("--iface", o.Interface)
	for flag, d := range map[string]time.Duration{
		"--interval": o.Interval, "--evasive": o.Evasive, "--expired": o.Expired,
	} {
		if d > 0 {
			add(flag, strconv.FormatInt(d.Milliseconds(), 10))
		}
	}
	if o.Headers != nil {
		headers, err := json.Marshal(o.Headers)
		if err != nil {
			return nil, err
		}
		add("--headers", string(headers))
	}
	return args, nil
}

// read hands answers to who waits for them and events to pump; it ends with the
// process's output, and then waits for the process.
func (p *Peer) read(stdout io.Reader, lines chan<- Event) {
	defer close(p.ended)
	defer close(lines)
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, maxLine)
	var bad error
	for in.Scan() {
		var e Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			bad = errors.Join(bad, fmt.Errorf("output %q: %w", in.Text(), err))
			continue
		}
		e.ID = strings.ToUpper(e.ID)
		switch e.Kind {
		case "started", "done", "error":
			p.mu.Lock()
			wait := p.waiting[e.Seq]
			delete(p.waiting, e.Seq)
			p.mu.Unlock()
			if wait != nil {
				wait <- e // has room
			}
		default:
			select {
			case lines <- e:
			case <-p.quit:
			}
		}
	}
	err := p.cmd.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	p.exitErr = errors.Join(bad, in.Err(), err)
}

// pump keeps events without limit until the test reads them, so that a test that only
// sends never blocks the node it sends to. It ends when the events end or on Close.
func (p *Peer) pump(lines <-chan Event) {
	defer close(p.events)
	var queue []Event
	for lines != nil || len(queue) > 0 {
		var out chan<- Event
		var first Event
		if len(queue) > 0 {
			out, first = p.events, queue[0]
		}
		select {
		case e, ok := <-lines:
			if !ok {
				lines = nil
				continue
			}
			queue = append(queue, e)
		case out <- first:
			queue = queue[1:]
		case <-p.quit:
			return
		}
	}
}

// UUID is the node's identity, in upper case.
func (p *Peer) UUID() string { return p.uuid }

// Endpoint is the address of the node's mailbox, as in tcp://127.0.0.1:49152.
func (p *Peer) Endpoint() string { return p.endpoint }

// Process is the node's process, for tests that freeze or kill it.
func (p *Peer) Process() *os.Process { return p.cmd.Process }

// Events gives what the node reports, in its order. The channel is closed when the
// process has ended and everything was read, and on [Peer.Close].
func (p *Peer) Events() <-chan Event { return p.events }

// Close says goodbye to the node's peers and ends its process, by force if it does not
// end within ten seconds. The error is what the process ended with.
func (p *Peer) Close() error {
	p.quitOnce.Do(func() { close(p.quit) })
	err := p.stdin.Close() // the end of its input stops the node
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	timer := time.NewTimer(stopDelay)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		err = errors.Join(err, errors.New("zyrejs: close: killed"), p.cmd.Process.Kill())
		<-p.ended
	}
	return errors.Join(err, p.exitErr)
}
