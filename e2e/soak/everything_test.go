//go:build unix

package soak

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

const (
	soakExpired  = 4 * time.Second  // expired timeout of a soak's nodes
	soakWarm     = 20               // phases in which the heaps of libzmq and Go grow to their peak
	soakPhase    = 8 * time.Second  // how long they are left to themselves
	soakSlow     = 2 * time.Second  // how long a link is slow at most
	soakPatience = 60 * time.Second // until all must have found each other
)

// soakRates are those of slow links: the nodes of a process send and receive some 2mbit, and
// several times as much for a moment. At less, and for longer than soakSlow, so many packets
// in a row are dropped that TCP itself is silent for soakExpired.
var soakRates = []string{"2mbit", "4mbit", "10mbit"}

// soak is two networks of nodes, a plain and a secure one, in several processes to which
// everything happens.
type soak struct {
	t          *testing.T
	port       int
	seed       uint64
	hosts      []*soakProc
	authorized []string          // the public keys of all secure nodes
	first      map[int]soakUsage // of each process, when it was new

	phases, received, counted, exits int
}

// soakMachine is where a process is: a host on a LAN, with one interface, eth0.
type soakMachine interface {
	Prefix() []string // of a command that is to run there
	SlowBothWays(ifname, rate string) error
	FullSpeed(ifname string) error
}

// soakProc is one of the processes.
type soakProc struct {
	s       *soak
	name    string
	count   int
	steady  bool         // it is never killed or frozen, so that its memory is seen over the whole time
	machine soakMachine  // nil if all are on this one, and no link is slow
	certs   []*zyre.Cert // of each node, nil for a plain one
	child   *child.Process
	born    int // processes of this name so far

	stops, kills, frozen, slowed int // times in all

	// in this phase
	freezes   int
	slowUntil time.Time // zero if the link is not slow
	done      []string
}

// certify makes certificates for the nodes with odd numbers.
func (p *soakProc) certify() {
	p.certs = make([]*zyre.Cert, p.count)
	for i := 1; i < p.count; i += 2 {
		cert, err := zyre.NewCert()
		if err != nil {
			p.s.t.Fatal(err)
		}
		p.certs[i] = cert
		p.s.authorized = append(p.s.authorized, cert.PublicKey)
	}
}

// begin starts the process.
func (p *soakProc) begin() {
	p.born++
	generation, seed := strconv.Itoa(p.born), p.s.seed+uint64(p.born)<<16
	for _, c := range p.name {
		seed += uint64(c) << 32
	}
	birth := soakBirth{
		Name: p.name, Count: p.count, Port: p.s.port, Interface: "lo", Generation: generation, Seed: seed,
		Certs: p.certs, Authorized: p.s.authorized,
	}
	var prefix []string
	if p.machine != nil {
		birth.Interface, prefix = "eth0", p.machine.Prefix()
	}
	p.child = child.StartUnder(p.s.t, p.name, prefix...)
	if err := p.child.Try("soak host", "", birth, nil); err != nil {
		p.s.t.Errorf("%s: begin: %v", p.name, err)
	}
}

// do has the process do something. It may be called by any one goroutine.
func (p *soakProc) do(c soakCommand) (a soakAnswer) {
	if c.Do != "report" {
		p.note("%s %d %v", c.Do, c.Node, c.Time)
		defer p.note("done")
	}
	if err := p.child.Try("soak", "", c, &a); err != nil {
		p.s.t.Errorf("%s: %+v: %v", p.name, c, err)
	}
	p.hear()
	if a.Err != "" {
		p.s.t.Errorf("%s: %v: %s", p.name, c, a.Err)
	}
	return a
}

// note keeps what is done to the process, for a failure.
func (p *soakProc) note(format string, args ...any) {
	p.done = append(p.done, soakClock()+" "+p.name+" "+fmt.Sprintf(format, args...))
}

// hear reports what the process found wrong.
func (p *soakProc) hear() {
	for _, fault := range p.child.Faults() {
		p.s.t.Errorf("%s: %s", p.name, fault)
	}
}

// all has every process do something at once.
func (s *soak) all(c soakCommand) []soakAnswer {
	answers := make([]soakAnswer, len(s.hosts))
	var wg sync.WaitGroup
	for i, p := range s.hosts {
		wg.Go(func() { answers[i] = p.do(c) })
	}
	wg.Wait()
	return answers
}

func (s *soak) reports() (reports []soakReport) {
	for _, a := range s.all(soakCommand{Do: "report"}) {
		reports = append(reports, a.Reports...)
	}
	return reports
}

// agree waits until nothing differs in what the nodes of each network report.
func (s *soak) agree(what string, differ func([]soakReport) string) []soakReport {
	s.t.Helper()
	var reports []soakReport
	start := time.Now()
	watch.Paced(100*time.Millisecond, func() (last bool) {
		reports = s.reports()
		diff := cmp.Or(differ(inNetwork("plain", reports)), differ(inNetwork("secure", reports)))
		if diff != "" && time.Since(start) > soakPatience {
			for _, a := range s.all(soakCommand{Do: "dump"}) {
				s.t.Log(a.Dump)
			}
			s.fail("%s: %s", what, diff)
		}
		return diff == ""
	})
	return reports
}

// A harm is one thing that happens to a process: it says what comes next, and how much
// later.
type harm func(p *soakProc, random *rand.Rand) (later time.Duration, next harm)

// harass does things to a process and its nodes until the end of a phase.
func (p *soakProc) harass(random *rand.Rand, end time.Time) {
	due, next := time.Now().Add(upTo(random, 1500*time.Millisecond)), harm((*soakProc).hurt)
	over := false
	defer p.fullSpeed()
	watch.Paced(10*time.Millisecond, func() (last bool) {
		now := time.Now()
		if now.After(p.slowUntil) {
			p.fullSpeed()
		}
		if now.After(due) {
			var later time.Duration
			later, next = next(p, random)
			over = next == nil && now.After(end)
			if next == nil {
				later, next = upTo(random, 1500*time.Millisecond), (*soakProc).hurt
			}
			due = time.Now().Add(later)
		}
		return over
	})
}

// upTo is a random time.
func upTo(random *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(limit)))
}

// hurt does something to the process or one of its nodes.
func (p *soakProc) hurt(random *rand.Rand) (later time.Duration, next harm) {
	node := random.IntN(p.count)
	switch dice := random.IntN(100); {
	case dice < 27:
		p.do(soakCommand{Do: "stop", Node: node})
		p.stops++
	case dice < 50:
		p.do(soakCommand{Do: "start", Node: node})
	case dice < 67:
		p.do(soakCommand{Do: "stall", Node: node, Time: upTo(random, 3*time.Second)})
	case dice < 80:
		p.slow(random)
	case dice < 84:
		p.do(soakCommand{Do: "stop all"})
		p.do(soakCommand{Do: "start all"})
		p.stops += p.count
	case p.steady:
	case dice < 92:
		return p.freeze(random), (*soakProc).thaw
	default:
		p.hear()
		p.note("kill")
		p.child.Kill()
		p.kills++
		return upTo(random, 2*time.Second), (*soakProc).revive
	}
	return 0, nil
}

// slow makes the link of the process slow in both directions for a while, whatever else
// happens to the process. That is no reason for an EXIT.
func (p *soakProc) slow(random *rand.Rand) {
	if p.machine == nil {
		return
	}
	rate, length := soakRates[random.IntN(len(soakRates))], upTo(random, soakSlow)
	p.note("slow %s %v", rate, length)
	p.slowed++
	p.slowUntil = time.Now().Add(length)
	if err := p.machine.SlowBothWays("eth0", rate); err != nil {
		p.s.t.Errorf("%s: slow: %v", p.name, err)
	}
}

// fullSpeed ends it.
func (p *soakProc) fullSpeed() {
	if !p.slowUntil.IsZero() {
		p.note("full speed")
		p.slowUntil = time.Time{}
		if err := p.machine.FullSpeed("eth0"); err != nil {
			p.s.t.Errorf("%s: full speed: %v", p.name, err)
		}
	}
}

// freeze stops the process for a while, as a machine that sleeps does: half the time
// for longer than it takes to be thought dead.
func (p *soakProc) freeze(random *rand.Rand) (length time.Duration) {
	length = upTo(random, 2*time.Second)
	if random.IntN(2) == 0 {
		length += soakExpired
	}
	p.freezes++
	p.note("freeze %v", length)
	p.frozen++
	p.child.Signal(syscall.SIGSTOP)
	return length
}

func (p *soakProc) thaw(*rand.Rand) (time.Duration, harm) {
	p.child.Signal(syscall.SIGCONT)
	return 0, nil
}

// revive starts the process again after it was killed.
func (p *soakProc) revive(*rand.Rand) (time.Duration, harm) {
	p.begin()
	p.do(soakCommand{Do: "start all"})
	return 0, nil
}

// fail ends the test, with what was done in this phase.
func (s *soak) fail(format string, args ...any) {
	s.t.Helper()
	for _, p := range s.hosts {
		s.t.Log(strings.Join(p.done, "\n"))
	}
	s.t.Fatalf("phase %d: "+format, append([]any{s.phases}, args...)...)
}

// phase lets everything happen for a while, and checks then that all is well.
func (s *soak) phase() {
	s.phases++
	s.all(soakCommand{Do: "go"})
	end := time.Now().Add(soakPhase)
	var wg sync.WaitGroup
	for i, p := range s.hosts {
		p.freezes, p.done = 0, nil
		random := rand.New(rand.NewPCG(s.seed, uint64(s.phases*len(s.hosts)+i)))
		wg.Go(func() { p.harass(random, end) })
	}
	wg.Wait()
	s.all(soakCommand{Do: "passive"})
	s.agree("after it", soakDiffer)
	s.all(soakCommand{Do: "lastWhispers"})
	s.checkExits(s.agree("messages", soakMissing))
	if s.t.Failed() {
		s.fail("something was wrong")
	}
	s.all(soakCommand{Do: "start all"})
	for _, r := range s.agree("all started", soakDiffer) {
		s.received, s.counted = s.received+r.Received, s.counted+r.Counted
	}
}

// checkExits fails the test if a node saw more EXITs of a peer than there were reasons:
// one if it ended, and two each time that the process of one of them was frozen.
func (s *soak) checkExits(reports []soakReport) {
	lives, frozen := map[string]bool{}, map[string]int{}
	for _, r := range reports {
		lives[r.Run] = true
	}
	for _, p := range s.hosts {
		frozen[p.name] = p.freezes
	}
	host := func(run string) string { return strings.TrimRight(run[:strings.IndexByte(run, '.')], "0123456789") }
	for _, r := range reports {
		for run, exits := range r.Exits {
			s.exits += exits
			reasons := 2 * (frozen[host(run)] + frozen[host(r.Run)])
			if !lives[run] {
				reasons++
			}
			if exits > reasons {
				s.t.Errorf("phase %d: %s saw %d EXITs of %s, want at most %d: %v", s.phases, r.Run, exits, run, reasons, r.Came[run])
			}
		}
	}
}

// measure compares what each process holds with what it held when it was new.
func (s *soak) measure(last bool) {
	for i, a := range s.all(soakCommand{Do: "usage"}) {
		u := a.Usage
		old, known := s.first[u.Pid]
		if !known || s.phases == soakWarm {
			s.first[u.Pid] = u
			continue
		}
		if u.Goroutines > old.Goroutines+5 || u.Descriptors > old.Descriptors+u.Descriptors/10 || u.Threads > old.Threads+10 {
			s.t.Errorf("phase %d: %s held %+v before and holds %+v", s.phases, s.hosts[i].name, old, u)
		}
		if u.Heap > old.Heap+16<<20 || u.Resident > old.Resident+old.Resident/2+32<<20 {
			s.t.Errorf("phase %d: the memory of %s grew: %+v before, now %+v", s.phases, s.hosts[i].name, old, u)
		}
		if last || s.phases%20 == 0 {
			s.t.Logf("%s: %+v when it was new, %+v at the end", s.hosts[i].name, old, u)
		}
	}
}

// Twenty-four nodes in five processes to which everything happens at random, and which do
// everything at random. Half of them are secure, and see no others than these. Each node's
// events are what has to follow from what the others did, all find each other again, and
// nobody holds more in the end than in the beginning.
func TestSoak_everything(t *testing.T) {
	duration := soakTime(t)
	s := &soak{t: t, port: kit.FreeUDPPort(t), seed: uint64(time.Now().UnixNano()), first: map[int]soakUsage{}}
	if seed, err := strconv.ParseUint(os.Getenv("ZYRE_SOAK_SEED"), 10, 64); err == nil {
		s.seed = seed
	}
	t.Logf("ZYRE_SOAK_SEED=%d", s.seed)
	machines := soakMachines(t, 5)
	for i, p := range []soakProc{
		{name: "home", count: 8, steady: true}, {name: "a", count: 4}, {name: "b", count: 4}, {name: "c", count: 4}, {name: "d", count: 4},
	} {
		p.s = s
		if machines != nil {
			p.machine = machines[i]
		}
		p.certify()
		s.hosts = append(s.hosts, &p)
	}
	for _, p := range s.hosts {
		p.begin()
	}
	s.all(soakCommand{Do: "start all"})
	s.agree("all started", soakDiffer)
	start := time.Now()
	for time.Since(start) < duration {
		s.phase()
		s.measure(time.Since(start) >= duration)
		if s.phases%10 == 0 {
			t.Logf("%v: %s", time.Since(start).Round(time.Second), s)
		}
	}
	s.all(soakCommand{Do: "stop all"})
	t.Logf("%v: %s", time.Since(start).Round(time.Second), s)
}

func (s *soak) String() string {
	stops, kills, freezes, slow := 0, 0, 0, 0
	for _, p := range s.hosts {
		stops, kills, freezes, slow = stops+p.stops, kills+p.kills, freezes+p.frozen, slow+p.slowed
	}
	return fmt.Sprintf("%d phases, %d stops, %d kills, %d freezes, %d slow links, %d EXITs; %d messages, with the shouts counted between %d of them",
		s.phases, stops, kills, freezes, slow, s.exits, s.received, s.counted)
}
