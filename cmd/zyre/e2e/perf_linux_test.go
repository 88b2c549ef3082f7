package e2e

import (
	"testing"

	"github.com/go-zyre/zyre/e2e/netns"
)

// perf measures between hosts, too.
func TestPerf_hosts(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b", "c")
	for _, h := range hosts[1:] {
		startOn(t, h.Prefix(), "perf", "--serve", "--name", h.Name, "--interval", "250ms")
	}
	p := startOn(t, hosts[0].Prefix(), "perf", "--json", "--peers", "2", "--interval", "250ms",
		"--duration", "100ms", "--sizes", "100,100000", "--rounds", "20")
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, p.errOut)
	}
	r := decode[perfResult](t, p.out.String())[0]
	if len(r.Peers) != 2 || len(r.Whispers) != 2 || r.Whispers[0].PerSecond <= 0 || r.Whispers[1].MBPS <= 0 ||
		r.RoundTrip.Rounds != 20 || r.RoundTrip.P50 <= 0 || r.Shouts.Receivers != 2 || r.Shouts.PerSecond <= 0 {
		t.Errorf("zyre perf --json = %+v", r)
	}
}
