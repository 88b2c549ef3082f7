package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/cmd/zyre/internal/monitor"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// soakLooks is how often processes are looked at in an endurance run.
const soakLooks = 40

// soakCrowd starts nodes, in as few processes as descriptors allow. They tell whom they see.
// Their beacons and pings are rare: 200 nodes with the usual times fill two processors.
func soakCrowd(t *testing.T, count, port int) (nodes []*child.Node) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	each := max(1, (int(limit.Cur)-1000)/(4*count))
	for len(nodes) < count {
		p := child.Start(t, "crowd")
		for range min(each, count-len(nodes)) {
			i := len(nodes)
			nodes = append(nodes, p.Node(child.Config{
				Name: fmt.Sprint("node", i), Interface: "lo", Port: port, ShareView: true,
				Interval: 8 * time.Second, Evasive: time.Minute, Silent: 2 * time.Minute, Expired: 5 * time.Minute,
				Groups: []string{"hall", fmt.Sprint("group", i%8)},
			}))
		}
		p.StartAll()
	}
	return nodes
}

// startDrawing starts zyre in a terminal, and forgets what the terminal gets; drawn counts it.
func startDrawing(t *testing.T, args ...string) (p *process, drawn *atomic.Int64) {
	t.Helper()
	master, slave := openPTY(t)
	p = &process{t: t, cmd: prepare(t, nil, args...), stdin: master, out: &buffer{}, errOut: &buffer{}, done: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm-256color")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, p.errOut
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.run()
	must(t, slave.Close())
	drawn = new(atomic.Int64)
	go func() { // ends when the process does
		buf := make([]byte, 64<<10)
		for {
			n, err := master.Read(buf)
			drawn.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	return p, drawn
}

// follow reads the stream of a page, as a browser does, until the test ends.
func follow(t *testing.T, url string) (read *atomic.Int64) {
	t.Helper()
	r, err := http.Get(url + "events") //nolint:noctx // it ends with the body
	must(t, err)
	read = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Body.Read(buf)
			read.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = r.Body.Close(); <-done })
	return read
}

// Monitors watch 200 nodes that talk, come and go: one with a page and lines, one in a
// terminal. Neither grows, and both go on telling.
func TestSoak_monitor(t *testing.T) {
	last, count := soakTime(t), 200
	if last < 5*time.Minute {
		count = 50
	}
	port := kit.FreeUDPPort(t)
	nodes := soakCrowd(t, count, port)
	page := &endurance{process: start(t, local(port, "monitor", "--web", "0", "--json", "--group", "hall")...), what: "page"}
	url := page.logged(`(http://\S+)`)
	read := follow(t, url)
	terminal, drawn := startDrawing(t, local(port, "monitor", "--group", "hall")...)
	drawing := &endurance{process: terminal, what: "terminal"}
	watch.Reaches(t, "all nodes are seen", count+1, func() int { // and the other monitor
		var state monitor.State
		must(t, json.Unmarshal([]byte(get(t, url+"state")), &state))
		return state.Totals.Peers
	})
	t.Logf("%d nodes at UDP port %d, and a page at %s", count, port, url)
	start, next, round := time.Now(), time.Duration(0), 0
	watch.Paced(500*time.Millisecond, func() bool {
		round++
		nodes[round%count].Shout("hall", "round %d", round)
		if round%20 == 0 { // one leaves and comes back
			n := nodes[round/20%count]
			n.Stop()
			n.Start()
		}
		since := time.Since(start)
		if since >= next {
			next += last / soakLooks
			wasRead, wasDrawn := read.Load(), drawn.Load()
			for _, e := range []*endurance{page, drawing} {
				e.seen = append(e.seen, e.usage())
			}
			watch.Until(t, "both go on", func() bool { return read.Load() > wasRead && drawn.Load() > wasDrawn })
		}
		return since >= last
	})
	page.check()
	drawing.check()
	t.Logf("the page has sent %.1f MB, the terminal got %.1f MB", float64(read.Load())/1e6, float64(drawn.Load())/1e6)
	terminal.typed("q")
	terminal.wait(0)
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url) //nolint:noctx // the process ends with the test
	must(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	return string(body)
}

// A hub has clients all the time that come, tell of nodes, and go with or without a goodbye.
func TestSoak_hub(t *testing.T) {
	last := soakTime(t)
	hub, endpoint := startHub(t, "--health", "127.0.0.1:0")
	health := "http://" + hub.logged(`msg=health address=(\S+)`)
	e := &endurance{process: hub, what: "hub"}
	zmq, err := transport.NewZMQ()
	must(t, err)
	t.Cleanup(func() { must(t, zmq.Close()) })
	const clients = 40
	var open [clients]*zgossip.Gossip
	t.Cleanup(func() {
		for _, g := range open {
			if g != nil {
				must(t, g.Close())
			}
		}
	})
	start, next, round := time.Now(), time.Duration(0), 0
	watch.Paced(25*time.Millisecond, func() bool {
		place := round % clients
		if open[place] != nil {
			must(t, open[place].Close())
		}
		open[place], err = zgossip.New(zmq.Context(), zgossip.Options{})
		must(t, err)
		must(t, open[place].Connect(endpoint, ""))
		// Names that were never heard before: whatever is kept of each grows.
		must(t, open[place].Publish(fmt.Sprintf("%032X", round), fmt.Sprintf("tcp://127.0.0.1:%d", 1024+round%60000)))
		go func(tuples <-chan zgossip.Tuple) { // ends by Close
			for range tuples {
				continue
			}
		}(open[place].Tuples())
		round++
		since := time.Since(start)
		if since >= next {
			next += last / soakLooks
			e.seen = append(e.seen, e.usage())
		}
		return since >= last
	})
	e.check()
	t.Logf("%d clients; health %s", round, get(t, health))
	hub.signal(syscall.SIGTERM)
	hub.wait(0)
}
