package zyre

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

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

// process is a node in a process of its own, which does as it is told. It answers each
// command with a line that begins with "reply", and its presence events are lines that
// begin with "event".
type process struct {
	*testProc
	uuid string
}

var _ = registerHelper("process", func(args []string, in io.Reader, _ io.Writer) error {
	port, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	c := &child{node: loopbackNode(args[0], port), next: 1}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		reply, err := c.obey(words[0], words[1:])
		if err != nil {
			reply = "error " + err.Error()
		}
		fmt.Println("reply " + reply)
	}
	return nil
})

// startProcess starts a process with a node in it that is not started yet. Settings are
// commands. At the end of the test it is killed, for it may be stopped.
func startProcess(t *testing.T, name string, port int, settings ...string) *process {
	t.Helper()
	p := &process{testProc: startHelper(t, nil, "process", name, strconv.Itoa(port))}
	p.name = name
	t.Cleanup(p.kill)
	for _, line := range settings {
		p.do(line)
	}
	p.uuid = p.do("uuid")
	return p
}

// do gives the process a command and returns its answer.
func (p *process) do(command string) string {
	p.t.Helper()
	p.send(command)
	reply := strings.TrimPrefix(p.expect("^reply "), "reply ")
	if strings.HasPrefix(reply, "error ") {
		p.t.Fatalf("%s: %s: %s", p.name, command, reply)
	}
	return reply
}

// count tells how often the process has reported a presence event, as TYPE NAME GROUP.
func (p *process) count(pattern string) int { return p.testProc.count("event " + pattern) }

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
	reply := p.do("tally")
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
	reply := p.do("usage")
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

// messages counts the whispers and shouts that a recorder has seen.
func messages(r *recorder) (n int) {
	seen, _ := r.events()
	for _, e := range seen {
		if e.Type == eventWhisper || e.Type == eventShout {
			n++
		}
	}
	return n
}
