package zyre

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// allowDescriptors raises the limit of descriptors as far as the system lets it, and
// returns what it is then.
func allowDescriptors(t *testing.T, want uint64) uint64 {
	t.Helper()
	var had syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []syscall.Rlimit{{Cur: want, Max: max(want, had.Max)}, {Cur: had.Max, Max: had.Max}} {
		if had.Cur < want && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
			t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &had) })
			return limit.Cur
		}
	}
	return had.Cur
}

// startCrowd starts nodes on this host, in one process if it may have that many
// descriptors.
func startCrowd(t *testing.T, count int) (procs []*testProc) {
	t.Helper()
	want := uint64(4*count*count + 1000)
	limit := allowDescriptors(t, want)
	each := min(count, int(limit-1000)/(4*count))
	if each < count {
		t.Logf("%d nodes in one process need up to %d descriptors, and only %d are allowed: %d nodes in each process", count, want, limit, each)
	}
	port := fmt.Sprint(freeUDPPort(t))
	for left := count; left > 0; left -= each {
		p := startHelper(t, nil, "node", "-iface", "lo", "-port", port, "-interval", "1s",
			"-name", fmt.Sprint("node", left), "-count", fmt.Sprint(min(each, left)))
		procs = append(procs, p)
	}
	return procs
}

// crowdSaw counts the events of a kind in all processes.
func crowdSaw(procs []*testProc, kind string) (count int) {
	for _, p := range procs {
		count += len(p.written(`^EVENT \d+ \S+ ` + kind + ` `))
	}
	return count
}

// crowdHolds tells the processor time and the descriptors of all processes.
func crowdHolds(t *testing.T, procs []*testProc) (cpu time.Duration, descriptors int) {
	t.Helper()
	for _, p := range procs {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		cpu, descriptors = cpu+p.cpu(), descriptors+len(fds)
	}
	return cpu, descriptors
}

// Many nodes on one host find each other, and nothing happens after: 200 of them if
// there is time for it, and in one process if it may have so many descriptors.
func TestSoak_crowd(t *testing.T) {
	quiet, count := soakTime(t), 200
	if quiet < 5*time.Minute {
		quiet, count = quiet/3, 50
	}
	start, all := time.Now(), count*(count-1)
	procs := startCrowd(t, count)
	for crowdSaw(procs, eventEnter)-crowdSaw(procs, eventExit) < all {
		if time.Since(start) > 5*time.Minute {
			t.Fatalf("%d ENTERs after %v, want %d", crowdSaw(procs, eventEnter), time.Since(start), all)
		}
		pause(100 * time.Millisecond)
	}
	used, descriptors := crowdHolds(t, procs)
	t.Logf("%d nodes found each other in %v, with %v of processor time and %d descriptors", count,
		time.Since(start).Round(100*time.Millisecond), used, descriptors)
	pause(min(quiet, 2*defaultEvasive)) // whoever was late has been asked by then
	start = time.Now()
	before, _ := crowdHolds(t, procs)
	exits := crowdSaw(procs, eventExit)
	pause(quiet)
	after, _ := crowdHolds(t, procs)
	took := time.Since(start)
	t.Logf("idle for %v: %.2f %% of a processor for each node; %d EXITs before, %d EVASIVEs in all", took.Round(time.Second),
		100*(after-before).Seconds()/took.Seconds()/float64(count), exits, crowdSaw(procs, eventEvasive))
	if got := crowdSaw(procs, eventExit) - exits; got != 0 {
		t.Errorf("%d × EXIT, want none", got)
	}
	if got := crowdSaw(procs, eventEnter) - crowdSaw(procs, eventExit); got != all {
		t.Errorf("%d peers in all, want %d", got, all)
	}
}

// Many processes on one host share one UDP port.
func TestScale_processes(t *testing.T) {
	const count = 20
	port := fmt.Sprint(freeUDPPort(t))
	var procs []*testProc
	for i := range count {
		p := startHelper(t, nil, "node", "-iface", "lo", "-port", port, "-name", fmt.Sprint("node", i))
		procs = append(procs, p)
	}
	start := time.Now()
	for _, p := range procs {
		for {
			p.skip()
			p.send("peers")
			if line := p.expect("^PEERS "); len(strings.Fields(line)) == 2+count-1 {
				break
			}
			if time.Since(start) > time.Minute {
				t.Fatalf("%s does not see all others:\n%s", p.name, strings.Join(p.lines, "\n"))
			}
			pause(50 * time.Millisecond)
		}
	}
	t.Logf("%d processes found each other within %v", count, time.Since(start).Round(time.Millisecond))
	for _, p := range procs {
		p.skip()
	}
	procs[0].send("shout g hello")
	for _, p := range procs[1:] {
		p.expect("SHOUT node0 g hello$")
	}
}
