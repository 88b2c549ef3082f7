//go:build unix

package child

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestMain(m *testing.M) {
	os.Exit(Main(m, Verbs{"sum": func(r *Reporter, c Command) (any, error) {
		r.Fault("no sum of %s", c.With)
		return 3, nil
	}}))
}

func TestNumber(t *testing.T) {
	for msg, want := range map[string]int{
		string(Numbered(7, 100)): 7, string(Numbered(12, 0)): 12, "12": 12, "again": -1, "": -1, "3 x": 3,
	} {
		if got := Number([]byte(msg)); got != want {
			t.Errorf("Number(%q) = %d, want %d", msg, got, want)
		}
	}
	if got := len(Numbered(7, 100)); got != 100 {
		t.Errorf("Numbered(7, 100) has %d bytes, want 100", got)
	}
}

// Two nodes in two processes do what they are told, and report what they see.
func TestProcess_nodes(t *testing.T) {
	cfg := Config{Interface: "lo", Port: kit.FreeUDPPort(t), Interval: 50 * time.Millisecond, Groups: []string{"g"}, Tally: true}
	cfg.Name = "a"
	a := Run(t, cfg)
	cfg.Name = "b"
	b := Run(t, cfg)
	a.Wait(t, "JOIN b g", 1)
	b.Wait(t, "JOIN a g", 1)
	a.Number("g", 100, 10_000)
	a.Shout("g", "%s", "to all")
	a.Whisper("b", "to %s", "b")
	b.Wait(t, "SHOUT a g to all", 1)
	b.Wait(t, "WHISPER a to b", 1)
	watch.Reaches(t, "b has all", 100, func() int { return b.Tally("a").Count })
	if got, want := b.Tally("a"), (Tally{Count: 100, Last: 99}); got != want {
		t.Errorf("Tally(a) = %+v, want %+v", got, want)
	}
	watch.Until(t, "a has sent all", func() bool { return a.Sent() == 100 })
	if got := b.Stats().Peers; got != 1 || !strings.HasPrefix(b.Started.Endpoint, "tcp://127.0.0.1:") {
		t.Errorf("b has %d peers at %q, want 1 at 127.0.0.1", got, b.Started.Endpoint)
	}
	a.Leave("g")
	b.Wait(t, "LEAVE a g", 1)
	a.Stop()
	b.Wait(t, "EXIT a", 1)
	a.Start()
	b.Wait(t, "ENTER a", 2)
	a.Process.Kill()
	if err := a.Process.Try("stats", "a", nil, nil); err == nil {
		t.Error("Try(stats) of a process that is gone = nil, want an error")
	}
}

// A process that is frozen answers when it goes on; what it is asked wrong is an error.
func TestProcess_Try(t *testing.T) {
	p := Start(t, "p")
	answer := make(chan int, 1)
	p.Signal(syscall.SIGSTOP)
	go func() {
		var sum int
		if err := p.Try("sum", "", []int{1, 2}, &sum); err != nil {
			t.Error(err)
		}
		answer <- sum
	}()
	p.Signal(syscall.SIGCONT)
	if got := <-answer; got != 3 {
		t.Errorf("Try(sum) = %d, want 3", got)
	}
	if got := p.Faults(); len(got) != 1 || got[0] != "no sum of [1,2]" {
		t.Errorf("Faults() = %q, want one", got)
	}
	for _, do := range []string{"nonsense", "start", "publish"} {
		for _, node := range []string{"nobody", ""} {
			if err := p.Try(do, node, nil, nil); err == nil && (node != "" || do != "start") {
				t.Errorf("Try(%s, %q) = nil, want an error", do, node)
			}
		}
	}
	if u := p.Usage(); u.Heap == 0 || u.Live == 0 || p.Descriptors() == 0 {
		t.Errorf("Usage() = %+v with %d descriptors, want some", u, p.Descriptors())
	}
}
