package zyre

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
)

var (
	_ = registerHelper("flood", floodHelper)
	_ = registerHelper("mute", muteHelper)
)

// floodHelper sends forged beacons to a broadcast address: address, rate, seconds.
func floodHelper(args []string, _ io.Reader, out io.Writer) error {
	rate, err1 := strconv.Atoi(args[1])
	seconds, err2 := strconv.Atoi(args[2])
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
		}), err)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp4", ":0")
	if err := errors.Join(err1, err2, err); err != nil {
		return err
	}
	defer c.Close()
	to, err := net.ResolveUDPAddr("udp4", args[0])
	if err != nil {
		return err
	}
	datagram := append([]byte("ZRE\x01"), make([]byte, 18)...)
	_, _ = rand.Read(datagram[4:])
	start, sent := time.Now(), 0
	fmt.Fprintln(out, "FLOODING")
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for time.Since(start) < time.Duration(seconds)*time.Second {
		<-pace.C
		due := int(time.Since(start).Seconds() * float64(rate))
		for late := min(due-sent, rate/10); late > 0; late-- {
			sent++
			binary.BigEndian.PutUint64(datagram[4:], uint64(sent)*0x9E3779B97F4A7C15)
			_, _ = c.WriteTo(datagram, to)
		}
	}
	fmt.Fprintf(out, "FLOODED %d in %v\n", sent, time.Since(start))
	return nil
}

// muteHelper opens TCP connections and says nothing on them: endpoint, count.
func muteHelper(args []string, in io.Reader, out io.Writer) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	conns := make([]net.Conn, count)
	var dials sync.WaitGroup
	for i := range conns {
		dials.Go(func() { conns[i], _ = net.DialTimeout("tcp", args[0], 5*time.Second) })
		if i%50 == 49 {
			dials.Wait()
		}
	}
	dials.Wait()
	opened := 0
	for _, c := range conns {
		if c != nil {
			defer c.Close()
			opened++
		}
	}
	fmt.Fprintf(out, "OPENED %d\n", opened)
	for lines := bufio.NewScanner(in); lines.Scan(); {
	}
	return nil
}

// cpu returns the processor time that a process has used.
func (p *testProc) cpu() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (n *netNode) endpoint() string {
	n.t.Helper()
	line := n.written(`endpoints=\[?tcp://`)[0]
	_, line, _ = strings.Cut(line, "tcp://")
	return strings.TrimRight(line, "]")
}

// A flood of forged beacons neither delays a node's own beacons, nor costs it its peers
// or its memory, and leaves nothing behind.
func TestNet_beaconFlood(t *testing.T) {
	_, h := lan1(t, "a", "b", "x")
	a, b := h[0].node("-interval", "250ms"), h[1].node()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	// The firewall of b counts what comes in: its sockets may overflow.
	h[1].nft(nftIn + "add rule inet zyre in ip saddr 10.78.0.1 udp dport 5670 counter")
	counted := func() int {
		m := regexp.MustCompile(`packets (\d+)`).FindStringSubmatch(h[1].do("nft", "list table inet zyre"))
		count, _ := strconv.Atoi(m[1])
		return count
	}
	seconds, target := 5, "10.78.0.255:5670"
	if netLong { // and at the full rate, at which a bridge cannot copy to all
		seconds, target = 20, "10.78.0.1:5670"
	}
	x := h[2].start("flood", target, "50000", fmt.Sprint(seconds+2))
	x.expect("^FLOODING")
	netSettled(time.Second)
	sent, before, start := a.stat("Sent"), counted(), time.Now()
	netSettled(time.Duration(seconds) * time.Second)
	took := time.Since(start)
	beacons := counted() - before
	sent = a.stat("Sent") - sent
	flooded, _ := x.find("^FLOODED", 20*time.Second)
	t.Logf("%s; %d beacons of a sent and %d come in %v, half open %d, heap %d kB", flooded, sent,
		beacons, took.Round(time.Millisecond), a.stat("HalfOpen"), a.stat("heap")>>10)
	due := float64(took) / float64(250*time.Millisecond)
	if got := float64(sent); got < due*0.8 || got > due*1.2+2 {
		t.Errorf("%d beacons of a sent in %v, want %.0f", sent, took, due)
	}
	if float64(beacons) < due*0.5 { // the network itself loses some in a flood
		t.Errorf("%d beacons of a came in %v, want %.0f", beacons, took, due)
	}
	if got := a.stat("heap"); got > 64<<20 {
		t.Errorf("heap = %d, want at most 64 MiB", got)
	}
	checkPairs(t, start, 0, a, b)
	checkTalk(t, a, b)
	netSettled(netTimes.expired + 2*time.Second)
	idle := a.cpu()
	netSettled(2 * time.Second)
	if used := a.cpu() - idle; used > 400*time.Millisecond {
		t.Errorf("%v of processor time in 2 s after the flood, want idle", used)
	}
	if got := a.stat("HalfOpen"); got > 0 {
		t.Errorf("HalfOpen = %d after the flood, want 0", got)
	}
	checkPairs(t, start, 0, a, b)
}

// Connections on which nobody says HELLO do no harm.
func TestNet_muteConnections(t *testing.T) {
	_, h := lan1(t, "a", "b", "x")
	count := 1000
	if netLong {
		count = 10000
	}
	a, b := h[0].node("-files", fmt.Sprint(count+1000)), h[1].node()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	start := time.Now()
	x := h[2].start("mute", a.endpoint(), fmt.Sprint(count))
	line, _ := x.find("^OPENED", time.Minute)
	t.Log(line)
	checkTalk(t, a, b)
	netSettled(netTimes.expired + time.Second)
	before := a.cpu()
	netSettled(time.Second)
	t.Logf("heap %d kB, %v of processor time in 1 s", a.stat("heap")>>10, a.cpu()-before)
	x.stop()
	checkTalk(t, a, b)
	checkPairs(t, start, 0, a, b)
}

// Traffic does not keep a node from noticing that a peer has died.
func TestNet_deathUnderLoad(t *testing.T) {
	_, h := lan1(t, "a", "b", "c")
	a, b, c := h[0].node("-netTally"), h[1].node("-netTally"), h[2].node()
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	c.send("leave g")
	limit := 2*netTimes.expired + time.Second // a busy machine stops a for moments, which do not count
	seconds := int(limit/time.Second) + 5
	b.send(fmt.Sprintf("number g %d 50000", 50000*seconds))
	netSettled(2 * time.Second)
	killed := time.Now()
	c.kill()
	within(t, limit, "death noticed under load", func() bool { return !a.has("c") }, a, b)
	got, missing, twice := a.tallies("b")
	t.Logf("a had %d messages by then, %v after the start", got, time.Since(killed)+2*time.Second)
	if missing != 0 || twice != 0 {
		t.Errorf("a missed %d and had %d twice, want none", missing, twice)
	}
	checkPairs(t, time.Time{}, 1, a, b)
	b.kill()
}

// A node without descriptors to spare refuses new peers, lives on, and takes them when
// there are descriptors again.
func TestNet_descriptorLimit(t *testing.T) {
	_, h := lan1(t, "a", "b", "c", "x")
	a, b := h[0].node("-files", "60"), h[1].node()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	x := h[3].start("mute", a.endpoint(), "100")
	x.expect("^OPENED")
	netSettled(time.Second)
	c := h[2].node()
	within(t, 5*time.Second, "the refusal logged", func() bool {
		return len(a.written("too few file descriptors")) > 0
	}, a)
	netSettled(netTimes.expired)
	if a.hasEnded() {
		t.Fatalf("a has ended\n%s", transcript([]*netNode{a}))
	}
	checkTalk(t, a, b)
	x.stop()
	within(t, 10*time.Second, "c taken", meshed(a, b, c), a, b, c)
	checkTalk(t, a, b, c)
	if got := len(a.written("too few file descriptors")); got > 2*ratelimit.WarningBurst {
		t.Errorf("logged %d times, want at most %d", got, 2*ratelimit.WarningBurst)
	}
}
