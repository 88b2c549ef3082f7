package zyre

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

var _ = registerHelper("node", nodeHelper)

// nodeFlags are what a node helper is started with.
type nodeFlags struct {
	count                             int
	name, iface, group                string
	port, peerPort, files             int
	interval, evasive, silent, expire time.Duration
	gossipBind, gossipConnect         string
	idle, netTally, debug             bool
}

func (f *nodeFlags) parse(args []string) error {
	fs := flag.NewFlagSet("node", flag.ContinueOnError)
	fs.IntVar(&f.count, "count", 1, "nodes in this process; the names of several end in their number")
	fs.StringVar(&f.name, "name", "", "name of the node")
	fs.StringVar(&f.iface, "iface", "", "interface, address or *; several nodes: one each, with commas between")
	fs.StringVar(&f.group, "group", "g", "group to join")
	fs.IntVar(&f.port, "port", 0, "UDP port of beacons")
	fs.IntVar(&f.peerPort, "peerport", 0, "TCP port of the mailbox")
	fs.IntVar(&f.files, "files", 0, "limit of open files")
	fs.DurationVar(&f.interval, "interval", 250*time.Millisecond, "of beacons")
	fs.DurationVar(&f.evasive, "evasive", 0, "timeout")
	fs.DurationVar(&f.silent, "silent", 0, "timeout")
	fs.DurationVar(&f.expire, "expired", 0, "timeout")
	fs.StringVar(&f.gossipBind, "gossipbind", "", "endpoint")
	fs.StringVar(&f.gossipConnect, "gossipconnect", "", "endpoint")
	fs.BoolVar(&f.idle, "idle", false, "wait for the command start")
	fs.BoolVar(&f.netTally, "netTally", false, "count the numbered messages instead of writing them")
	fs.BoolVar(&f.debug, "debug", false, "log from level Debug")
	return fs.Parse(args)
}

// node makes node i of the process.
func (f *nodeFlags) node(i int, log *slog.Logger) *Zyre {
	z := NewZyre(context.Background()).SetName(f.name).SetLogger(log).SetInterval(f.interval)
	if f.count > 1 {
		z.SetName(fmt.Sprintf("%s%d", f.name, i))
	}
	ifaces := strings.Split(f.iface, ",")
	z.SetInterface(ifaces[i%len(ifaces)])
	for d, set := range map[*time.Duration]func(time.Duration) *Zyre{
		&f.evasive: z.SetEvasiveTimeout, &f.silent: z.SetSilentTimeout, &f.expire: z.SetExpiredTimeout,
	} {
		if *d != 0 {
			set(*d)
		}
	}
	if f.port != 0 {
		z.SetPort(f.port)
	}
	if f.gossipBind != "" {
		z.GossipBind("%s", f.gossipBind)
	}
	if f.gossipConnect != "" {
		z.GossipConnect("%s", f.gossipConnect)
	}
	z.SetBeaconPeerPort(f.peerPort)
	z.Join(f.group)
	return z
}

// lineWriter lets many goroutines write whole lines.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

// nodeHelper runs nodes in a process. It writes
//
//	STARTED node uuid
//	EVENT time node TYPE peer group|address|- message    time in ns
//	PEERS node names…, STATS node …, GOT node peer count missing, DONE command
//	time=… level=… msg=… node=…                          the log, from level Info
//
// and reads start, stop, quit, join GROUP, leave GROUP, shout GROUP TEXT,
// whisper NAME TEXT, number GROUP COUNT RATE (shout numbered messages), got, peers,
// stats. Commands go to all nodes of the process.
func nodeHelper(args []string, in io.Reader, to io.Writer) error {
	out := &lineWriter{w: to}
	var f nodeFlags
	if err := f.parse(args); err != nil {
		return err
	}
	if f.files > 0 {
		limit := syscall.Rlimit{Cur: uint64(f.files), Max: uint64(f.files)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	level := slog.LevelInfo
	if f.debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	nodes := make([]*runNode, f.count)
	for i := range nodes {
		nodes[i] = &runNode{Zyre: f.node(i, log), out: out, netTally: f.netTally, got: map[string]*netTally{}}
	}
	defer all(nodes, (*runNode).end)
	if !f.idle {
		if err := all(nodes, (*runNode).begin); err != nil {
			return err
		}
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "quit" {
			return nil
		}
		if err := all(nodes, func(n *runNode) error { return n.command(lines.Text()) }); err != nil {
			return err
		}
		fmt.Fprintf(out, "DONE %s\n", lines.Text())
	}
	return nil
}

// all runs fn for all nodes at once.
func all(nodes []*runNode, fn func(*runNode) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = fn(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// runNode is a node of the helper.
type runNode struct {
	*Zyre
	out      io.Writer
	netTally bool
	read     sync.WaitGroup // the goroutine that reads the events of a run

	mu   sync.Mutex
	got  map[string]*netTally
	sent int
}

// netTally counts numbered messages from a peer, of which none may be missing between
// its ENTER and its EXIT, nor come twice.
type netTally struct{ count, next, missing, twice int }

func (n *runNode) begin() error {
	if err := n.Start(); err != nil {
		return err
	}
	fmt.Fprintf(n.out, "STARTED %s %s\n", n.Name(), n.UUID())
	events := n.Events()
	n.read.Go(func() { // ends with the run
		for e := range events {
			n.note(e)
		}
	})
	return nil
}

func (n *runNode) end() error {
	n.Stop()
	n.read.Wait()
	return nil
}

func (n *runNode) note(e *Event) {
	if n.netTally && (e.Type == "SHOUT" || e.Type == "WHISPER") {
		n.count(e)
		return
	}
	if e.Type == "ENTER" {
		n.mu.Lock()
		if t := n.got[e.PeerName]; t != nil {
			t.next = -1
		}
		n.mu.Unlock()
	}
	detail := e.Group
	if detail == "" {
		detail = e.PeerAddr
	}
	if detail == "" {
		detail = "-"
	}
	fmt.Fprintf(n.out, "EVENT %d %s %s %s %s %s\n", time.Now().UnixNano(), n.Name(), e.Type, e.PeerName, detail, e.Msg)
}

func (n *runNode) count(e *Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.got[e.PeerName]
	if t == nil {
		t = &netTally{next: -1}
		n.got[e.PeerName] = t
	}
	var number int
	if _, err := fmt.Sscan(string(e.Msg), &number); err != nil {
		return
	}
	t.count++
	switch {
	case t.next >= 0 && number > t.next:
		t.missing += number - t.next
	case number < t.next:
		t.twice++
	}
	t.next = max(t.next, number+1)
}

func (n *runNode) command(line string) error {
	f := append(strings.SplitN(line, " ", 3), "", "", "")
	switch f[0] {
	case "start":
		return n.begin()
	case "stop":
		return n.end()
	case "join":
		n.Join(f[1])
	case "leave":
		n.Leave(f[1])
	case "shout":
		n.Shouts(f[1], "%s", f[2])
	case "whisper":
		for _, p := range n.Stats().PeerList {
			if p.Name == f[1] {
				n.Whispers(p.UUID, "%s", f[2])
			}
		}
	case "number":
		return n.number(f[1], f[2])
	case "got":
		n.mu.Lock()
		defer n.mu.Unlock()
		for peer, t := range n.got {
			fmt.Fprintf(n.out, "GOT %s %s %d missing %d twice %d\n", n.Name(), peer, t.count, t.missing, t.twice)
		}
	case "peers":
		var names []string
		for _, id := range n.Peers() {
			names = append(names, n.PeerName(id))
		}
		fmt.Fprintf(n.out, "PEERS %s %s\n", n.Name(), strings.Join(names, " "))
	case "stats":
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		s := n.Stats()
		s.PeerList = nil
		fmt.Fprintf(n.out, "STATS %s heap:%d %+v\n", n.Name(), mem.HeapAlloc, s)
	default:
		return fmt.Errorf("no such command: %q", line)
	}
	return nil
}

// number shouts numbered messages at a rate; it goes on counting where it was.
func (n *runNode) number(group, rest string) error {
	var count, rate int
	if _, err := fmt.Sscan(rest, &count, &rate); err != nil {
		return err
	}
	const step = 5 * time.Millisecond
	pace := time.NewTicker(step)
	defer pace.Stop()
	for start, done := time.Now(), 0; done < count; {
		<-pace.C
		for due := min(count, 1+int(time.Since(start).Seconds()*float64(rate))); done < due; done++ {
			n.Shouts(group, "%d", n.sent)
			n.sent++
		}
	}
	return nil
}
