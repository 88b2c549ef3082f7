package zyre

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Some tests need a node in a process of its own, to stop it, to kill it, or to
// measure its memory. Such a process is this test binary again, running nothing
// but TestProcess, which obeys lines on its standard input.

const processEnv = "ZYRE_TEST_PROCESS"

// long chooses between the full and the short form of a number: ZYRE_LONG=1 in
// the environment asks for the full one.
func long[T any](full, short T) T {
	if os.Getenv("ZYRE_LONG") == "1" {
		return full
	}
	return short
}

// raceDetector says whether this binary was built with -race.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// process is a node in a process of its own.
type process struct {
	name  string
	uuid  string
	cmd   *exec.Cmd
	stdin io.WriteCloser

	replies chan string
	ended   chan struct{}

	mu   sync.Mutex
	seen []string // its presence events, as TYPE NAME GROUP
}

// startProcess starts a process with a node in it that is not started yet.
// Settings are lines as TestProcess takes them.
func startProcess(t *testing.T, name string, port int, settings ...string) *process {
	t.Helper()
	p := &process{name: name, replies: make(chan string, 16), ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], "-test.run=^TestProcess$", "-test.timeout=20m")
	p.cmd.Env = append(os.Environ(), processEnv+"="+name+" "+strconv.Itoa(port))
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.listen(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.cmd.Wait()
	})
	for _, line := range settings {
		p.do(t, "%s", line)
	}
	p.uuid = p.do(t, "uuid")
	return p
}

func (p *process) listen(stdout io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if event, ok := strings.CutPrefix(lines.Text(), "event "); ok {
			p.mu.Lock()
			p.seen = append(p.seen, event)
			p.mu.Unlock()
		} else if reply, ok := strings.CutPrefix(lines.Text(), "reply "); ok {
			p.replies <- reply
		}
	}
}

// do gives the process a command and returns its answer.
func (p *process) do(t *testing.T, format string, args ...any) string {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatalf("%s: %s: %v", p.name, line, err)
	}
	select {
	case reply := <-p.replies:
		if strings.HasPrefix(reply, "error ") {
			t.Fatalf("%s: %s: %s", p.name, line, reply)
		}
		return reply
	case <-p.ended:
		t.Fatalf("%s: %s: the process has ended", p.name, line)
	case <-time.After(patience):
		t.Fatalf("%s: %s: no answer", p.name, line)
	}
	return ""
}

// signal sends the process a signal.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: signal %v: %v", p.name, s, err)
	}
}

// count tells how often the process has reported a presence event.
func (p *process) count(pattern string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.seen {
		if strings.HasPrefix(e+" ", pattern+" ") {
			n++
		}
	}
	return n
}

// wait waits until the process has reported a presence event a number of times.
func (p *process) wait(t *testing.T, pattern string, times int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s sees %q %d times", p.name, pattern, times),
		func() bool { return p.count(pattern) >= times })
}

// tally is what the process says of the messages that it has received.
type tally struct {
	received int    // numberedPayload messages since the last ENTER or JOIN of "count"
	disorder int    // of them not in order
	last     int    // number of the last one
	marked   string // messages without a number, comma-separated
}

func (p *process) tally(t *testing.T) (c tally) {
	t.Helper()
	reply := p.do(t, "tally")
	if _, err := fmt.Sscanf(reply, "%d %d %d %s", &c.received, &c.disorder, &c.last, &c.marked); err != nil {
		t.Fatalf("tally: %q: %v", reply, err)
	}
	return c
}

// usage is what the process has used of the machine.
type usage struct {
	live, heap, resident int // bytes: reachable, in use by Go's heap, and the peak of all
	cpu                  time.Duration
}

func (p *process) usage(t *testing.T) (u usage) {
	t.Helper()
	reply := p.do(t, "usage")
	if _, err := fmt.Sscanf(reply, "%d %d %d %d", &u.live, &u.heap, &u.resident, &u.cpu); err != nil {
		t.Fatalf("usage: %q: %v", reply, err)
	}
	return u
}

// numberedPayload makes the i-th message of a stream, of the given size.
func numberedPayload(i, size int) []byte {
	msg := fmt.Appendf(make([]byte, 0, size), "%010d", i)
	return msg[:max(size, len(msg))]
}

// number is the number of a message made by numberedPayload, or -1.
func number(msg []byte) int {
	if len(msg) < 10 {
		return -1
	}
	if i, err := strconv.Atoi(string(msg[:10])); err == nil {
		return i
	}
	return -1
}

// TestProcess is not a test: it is what a process started by startProcess runs.
func TestProcess(t *testing.T) {
	setup, ok := os.LookupEnv(processEnv)
	if !ok {
		t.Skip("only runs in processes that other tests start")
	}
	c := &child{next: 1}
	var name string
	var port int
	if _, err := fmt.Sscan(setup, &name, &port); err != nil {
		t.Fatal(err)
	}
	c.node = newLoopbackNode(t, name, port)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		reply, err := c.obey(words[0], words[1:])
		if err != nil {
			reply = "error " + err.Error()
		}
		fmt.Println("reply " + reply)
	}
}

// child is the inside of a process.
type child struct {
	node *Zyre

	mu     sync.Mutex
	counts tally
	next   int
	marked []string
}

func (c *child) obey(command string, words []string) (string, error) {
	number := func(i int) int {
		n, _ := strconv.Atoi(words[i])
		return n
	}
	switch command {
	case "uuid":
		return c.node.UUID(), nil
	case "queue":
		c.node.SetQueueLimit(number(0))
	case "timeouts": // milliseconds: evasive, silent, expired
		c.node.SetEvasiveTimeout(time.Duration(number(0)) * time.Millisecond)
		c.node.SetSilentTimeout(time.Duration(number(1)) * time.Millisecond)
		c.node.SetExpiredTimeout(time.Duration(number(2)) * time.Millisecond)
	case "join":
		c.node.Join(words[0])
	case "start":
		return "", c.node.Start()
	case "stop":
		c.node.Stop()
	case "read":
		go c.read(c.node.Events())
	case "tally":
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Sprintf("%d %d %d %s", c.counts.received, c.counts.disorder, c.counts.last,
			"-"+strings.Join(c.marked, ",")), nil
	case "usage":
		return readUsage()
	case "poke":
		slowest, name := pokeAll(c.node)
		return fmt.Sprint(slowest.Microseconds(), " ", name), nil
	case "stats":
		s := c.node.Stats()
		return fmt.Sprintf("paused=%v held=%d bytes=%d peers=%d", s.Paused, s.HeldEvents, s.HeldBytes, s.Peers), nil
	default:
		return "", fmt.Errorf("unknown command %q", command)
	}
	return "", nil
}

// read counts messages and prints everything else.
func (c *child) read(events <-chan *Event) {
	for e := range events {
		switch e.Type {
		case "WHISPER", "SHOUT":
			c.note(e.Msg)
			continue
		case "ENTER":
			c.mu.Lock()
			c.next = 0 // a new beginning: any number may be the first
			c.mu.Unlock()
		}
		fmt.Println("event " + describe(e))
	}
}

func (c *child) note(msg []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := number(msg)
	if i < 0 {
		c.marked = append(c.marked, string(msg[:min(len(msg), 20)]))
		return
	}
	c.counts.received++
	if c.next != 0 && i != c.next {
		c.counts.disorder++
	}
	c.next, c.counts.last = i+1, i
}

// pokeAll calls every method three times and returns the slowest by its best time,
// which load on the machine changes little: what waits for something that does not
// happen is slow each time. It shouts to nobody and
// keeps the node's name.
func pokeAll(z *Zyre) (slowest time.Duration, name string) {
	methods := everyMethod(z)
	own := z.Name()
	methods["SetName"] = func() { z.SetName(own) }
	methods["Shout"] = func() { z.Shout("nobody", []byte("x")) }
	methods["Shouts"] = func() { z.Shouts("nobody", "%d", 1) }
	for what, call := range methods {
		if took := timed(3, call)[0]; took >= slowest {
			slowest, name = took, what
		}
	}
	return slowest, strings.ReplaceAll(name, " ", "_")
}

// timed calls fn a number of times and returns how long that took, in order.
func timed(times int, fn func()) []time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		fn()
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

func readUsage() (string, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	runtime.GC()
	runtime.ReadMemStats(&after)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	resident := 0
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			_, err = fmt.Sscanf(line, "VmHWM: %d kB", &resident)
		}
	}
	var r syscall.Rusage
	if err == nil {
		err = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	}
	cpu := time.Duration(r.Utime.Nano() + r.Stime.Nano())
	return fmt.Sprintf("%d %d %d %d", after.HeapAlloc, before.HeapInuse, resident<<10, cpu), err
}

// rawPeer speaks ZRE without a node: it can do what a node never does.
type rawPeer struct {
	t        *testing.T
	name     string
	uuid     [16]byte
	inbox    inbox
	mailbox  mailbox
	endpoint string
	sequence uint16
	packet   packet
}

var rawPeers atomic.Uint32

// newRawPeer makes a peer that is connected to a node but has not said HELLO.
func newRawPeer(t *testing.T, name, target string) *rawPeer {
	t.Helper()
	r := &rawPeer{t: t, name: name}
	number := rawPeers.Add(1)
	r.uuid = [16]byte{0xfe, 15: byte(number), 14: byte(number >> 8)}
	tr, err := newZMQTransport()
	if err != nil {
		t.Fatal(err)
	}
	if r.inbox, err = tr.listen(listenOptions{}); err != nil {
		t.Fatal(err)
	}
	if r.endpoint, err = r.inbox.bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	if r.mailbox, err = tr.dial(target, dialOptions{identity: appendIdentity(nil, r.uuid)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.mailbox.close(0), r.inbox.close(), tr.close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// hello says HELLO and begins to count anew.
func (r *rawPeer) hello() {
	r.sequence = 0
	r.send(&ZreMsg{id: HelloID, Endpoint: r.endpoint, Name: r.name})
}

// send sends a message with the next sequence number.
func (r *rawPeer) send(msg *ZreMsg) {
	r.t.Helper()
	r.sequence++
	header, err := msg.append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	putSequence(header, r.sequence)
	eventually(r.t, "room in a mailbox", func() bool {
		err = r.mailbox.send(header, msg.content())
		return !errors.Is(err, errAgain)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// expectHello waits for a HELLO of the node.
func (r *rawPeer) expectHello() {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		r.inbox.wait(deadline)
		for r.inbox.recv(&r.packet) == nil {
			var v zreView
			if v.parse(r.packet.header) == nil && v.id == HelloID {
				return
			}
		}
	}
	r.t.Fatalf("no HELLO within %v", patience)
}

// forge announces a node that does not exist, at an endpoint of another.
func forge(t *testing.T, b *Beacon, port int, uuid []byte, endpoint string) {
	t.Helper()
	ap, err := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	datagram, err := newBeaconMsg([16]byte(append(uuid, make([]byte, 16)...)), ap.Port()).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: "lo"}, {ID: "INTERVAL", Payload: 100 * time.Millisecond},
		{ID: "CONFIGURE", Payload: port}, {ID: "PUBLISH", Payload: datagram},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			t.Fatal(reply.Err)
		}
	}
}

// whispers counts those that a recorder has seen.
func whispers(r *recorder) (n int) {
	seen, _ := r.events()
	for _, e := range seen {
		if e.Type == eventWhisper {
			n++
		}
	}
	return n
}
