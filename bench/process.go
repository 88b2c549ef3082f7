package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

//go:embed c/bare.c
var bareSource []byte

// host starts the processes of a measurement.
type host struct {
	bare string // the C program; empty if it could not be compiled
	site site
}

// at starts them at a site.
func (h *host) at(s site) *host { return &host{h.bare, s} }

// params tell a worker what to do.
type params struct {
	Port      int      // UDP port of the beacons
	TCP       int      // port of the inbox; 0 for any
	Peers     int      // how many others there are
	Talking   int      // how many of them send and are sent to; 0 for all
	Nodes     int      // of a mesh of Peers nodes, how many run in this process
	First     int      // and which is the first of them
	Restart   int      // how many of them restart once the mesh is complete: all are of the first process
	Count     int      // messages or rounds
	Size      int      // bytes of each payload
	Endpoints []string // of those to connect to
	Seconds   float64  // how long to watch
	Procs     int      // GOMAXPROCS; 0 for the default
	Elsewhere bool     // who answers is another goroutine than who reads the events
}

// talking is how many peers send and are sent to.
func (p params) talking() int { return pick(p.Talking > 0, p.Talking, p.Peers) }

// message is what a worker reports, one JSON object a line. The C program writes
// the same.
type message struct {
	Endpoint string    `json:"endpoint,omitempty"` // where it listens
	Count    int       `json:"count,omitempty"`    // messages received
	Lost     int       `json:"lost,omitempty"`     // messages missing or out of order
	Begin    int64     `json:"begin,omitempty"`    // wall clock of the first message, ns
	End      int64     `json:"end,omitempty"`      // and of the last
	CPU      float64   `json:"cpu,omitempty"`      // seconds spent meanwhile
	Micros   []float64 `json:"micros,omitempty"`   // latencies
	RSS      float64   `json:"rss,omitempty"`      // MB
	Base     float64   `json:"base,omitempty"`     // MB before there were peers, or messages
	Peak     float64   `json:"peak,omitempty"`     // MB, the most so far
	Threads  int       `json:"threads,omitempty"`
	Switches int       `json:"switches,omitempty"` // voluntary context switches
	Err      string    `json:"err,omitempty"`
}

func (m message) seconds() float64 { return float64(m.End-m.Begin) / 1e9 }

// A process is a running worker. It ends when its standard input is closed.
type process struct {
	role  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
}

// worker starts this program again, as a worker.
func (h *host) worker(ctx context.Context, role string, p params) (*process, error) {
	arg, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startProcess(role, h.site.command(ctx, exe, "worker", role, string(arg)))
}

// c starts the C program.
func (h *host) c(ctx context.Context, args ...string) (*process, error) {
	return startProcess("bare "+args[0], h.site.command(ctx, h.bare, args...))
}

func startProcess(role string, cmd *exec.Cmd) (*process, error) {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{role: role, cmd: cmd, stdin: in, out: json.NewDecoder(bufio.NewReader(out))}, nil
}

// next waits for the next report.
func (p *process) next() (message, error) {
	var m message
	if err := p.out.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: no report: %w", p.role, err)
	}
	if m.Err != "" {
		return m, fmt.Errorf("%s: %s", p.role, m.Err)
	}
	if m.Lost != 0 {
		return m, fmt.Errorf("%s: %d messages lost or out of order", p.role, m.Lost)
	}
	return m, nil
}

// tell writes a line to a worker that waits for one.
func (p *process) tell() error {
	_, err := io.WriteString(p.stdin, "go\n")
	return err
}

// stop ends a worker, by force if it does not within some seconds.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.stdin.Close()
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait()
}

func stopAll(ps []*process) {
	for _, p := range ps {
		_ = p.stdin.Close()
	}
	for _, p := range ps {
		p.stop()
	}
}

// compileBare compiles c/bare.c and returns the program, or "" if that can't be.
func compileBare(ctx context.Context, dir string) string {
	out, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "libzmq").Output()
	if err != nil {
		return ""
	}
	program, source := filepath.Join(dir, "bare"), filepath.Join(dir, "bare.c")
	if err := os.WriteFile(source, bareSource, 0o600); err != nil {
		return ""
	}
	args := append([]string{"-O2", "-o", program, source}, strings.Fields(string(out))...)
	if msg, err := exec.CommandContext(ctx, "cc", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: compile c/bare.c: %v\n%s", err, msg)
		return ""
	}
	return program
}

// freePort finds a UDP or TCP port of the loopback interface that nobody uses.
func freePort(network string) (int, error) {
	if network == "udp" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		return c.LocalAddr().(*net.UDPAddr).Port, c.Close()
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// work is the main function of a worker.
func work(role, arg string) int {
	var p params
	if err := json.Unmarshal([]byte(arg), &p); err != nil {
		fmt.Fprintln(os.Stderr, "bench worker:", err)
		return 2
	}
	w := &output{enc: json.NewEncoder(os.Stdout), lines: make(chan struct{}), gone: make(chan struct{})}
	go w.listen(os.Stdin)
	if p.Procs > 0 {
		runtime.GOMAXPROCS(p.Procs)
	}
	do, ok := roles[role]
	err := errors.New("no such role")
	if ok {
		err = profiled(role, func() error { return do(w, p) })
	}
	if err != nil {
		w.send(message{Err: err.Error()})
		return 1
	}
	return 0
}

// profileDir names the environment variable with the directory for profiles.
const profileDir = "ZYRE_BENCH_PROFILE"

// profiled runs a worker and, if asked to, writes the profile of its CPU time.
func profiled(role string, do func() error) error {
	dir := os.Getenv(profileDir)
	if dir == "" {
		return do()
	}
	f, err := os.CreateTemp(dir, role+"-*.pprof")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// output is a worker's connection with the process that started it.
type output struct {
	enc   *json.Encoder
	lines chan struct{} // a line has come
	gone  chan struct{} // closed when no more can come: time to end
}

// listen ends the worker if it does not end by itself once nobody wants it any
// more.
func (w *output) listen(r io.Reader) {
	defer time.AfterFunc(10*time.Second, func() { os.Exit(1) })
	defer close(w.gone)
	s := bufio.NewScanner(r)
	for s.Scan() {
		select {
		case w.lines <- struct{}{}:
		case <-time.After(timeout):
		}
	}
}

func (w *output) send(m message) { _ = w.enc.Encode(m) }

// wait waits for a line, and says whether one came.
func (w *output) wait() bool {
	select {
	case <-w.lines:
		return true
	case <-w.gone:
		return false
	}
}
