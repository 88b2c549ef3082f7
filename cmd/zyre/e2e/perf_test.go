//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
)

// perfResult is what zyre perf --json writes.
type perfResult struct {
	Peers      []string
	DiscoverMS float64 `json:"discover_ms"`
	Whispers   []perfThroughput
	Shouts     perfThroughput
	RoundTrip  struct {
		Rounds int
		Min    float64 `json:"min_ms"`
		P50    float64 `json:"p50_ms"`
		Max    float64 `json:"max_ms"`
	} `json:"round_trip"`
}

type perfThroughput struct {
	Receivers, Messages int
	PerSecond           float64 `json:"messages_per_second"`
	MBPS                float64 `json:"megabytes_per_second"`
}

func TestPerf(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	for _, name := range []string{"one<script>", "two"} {
		p := start(t, local(port, "perf", "--serve", "--name", name)...)
		t.Cleanup(func() { p.signal(syscall.SIGINT); p.wait(0) })
	}
	page := filepath.Join(t.TempDir(), "perf.html")
	args := local(port, "perf", "--peers", "2", "--duration", "50ms", "--sizes", "9,1000,2000000", "--rounds", "20", "--html", page)
	out, _ := zyreRun(t, 0, args...)
	checkContains(t, "zyre perf", out, "time to discover", "whispers of 9 B", "whispers of 1 kB", "whispers of 2 MB", "MB/s", "round trip of 100 B", "shouts of 100 B to 2")
	r := decode[perfResult](t, firstOf(zyreRun(t, 0, append(args, "--json")...)))[0]
	if len(r.Peers) != 2 || len(r.Whispers) != 3 || r.Whispers[1].PerSecond <= 0 || r.Whispers[1].MBPS <= 0 || r.DiscoverMS <= 0 ||
		r.RoundTrip.Rounds != 20 || r.RoundTrip.Min <= 0 || r.RoundTrip.Max < r.RoundTrip.P50 || r.Shouts.Receivers != 2 || r.Shouts.Messages < 1 {
		t.Errorf("zyre perf --json = %+v", r)
	}
	html, err := os.ReadFile(page)
	must(t, err)
	checkContains(t, "the page", string(html), "<svg", "2 MB", "one&lt;script&gt;")
	for _, bad := range []string{"<script", "http://", "https://", "NaN", "Inf"} {
		if strings.Contains(string(html), bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	_, stderr := zyreRun(t, 1, local(kit.FreeUDPPort(t), "perf", "--wait", "100ms")...)
	checkContains(t, "stderr", stderr, "0 of 1 hosts that run zyre perf --serve")
}
