package zyre

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Two nodes of one name are logged once, with both endpoints.
func TestZRE_sameName(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string      // of the peers that enter
		pause time.Duration // between them
		want  []string      // in the only warning; none if there is to be none
	}{
		{"different", []string{"ann", "bob"}, 0, nil},
		{"none", []string{"", ""}, 0, nil},
		{"two peers", []string{"ann", "bob", "ann", "ann"}, 0,
			[]string{"name=ann", " endpoint=tcp://10.0.0.102:9", "other_endpoint=tcp://10.0.0.100:9"}},
		{"this node", []string{"bench", "bench"}, 0,
			[]string{"name=bench", " endpoint=tcp://10.0.0.100:9", "other_endpoint=tcp://10.0.0.1:1000"}},
		{"of one that is silent", []string{"ann", "ann"}, defaultSilent, nil},
	} {
		var log bytes.Buffer
		b := newZREBench(t)
		b.z.log = slog.New(slog.NewTextHandler(&log, nil))
		for i, name := range c.names {
			packet := packetOf(t, [16]byte{byte(i + 10)}, 1, &ZreMsg{id: HelloID, Endpoint: fmt.Sprintf("tcp://10.0.0.%d:9", 100+i), Name: name})
			b.z.receive(b.now, &packet)
			b.pass(c.pause)
		}
		got := log.String()
		if n := strings.Count(got, "same name"); n != min(len(c.want), 1) {
			t.Errorf("%s: %d warnings, want %d:\n%s", c.name, n, min(len(c.want), 1), got)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in the log:\n%s", c.name, want, got)
			}
		}
	}
}

// A beacon with this node's UUID is of another node if its port is another.
func TestZRE_sameUUID(t *testing.T) {
	for endpoint, want := range map[string]int{
		"tcp://10.0.0.1:1000": 0, // this node
		"tcp://10.0.0.7:1000": 0, // this node, by an address that it does not know of
		"tcp://10.0.0.7:2000": 1,
		"tcp://10.0.0.1:2000": 1,
	} {
		var log lockedBuffer
		var logs *logQueue
		b := newZREBench(t)
		b.z.log, logs = newLogger(slog.NewTextHandler(&log, nil))
		for range 3 {
			b.z.sighted(b.now, b.z.uuid, endpoint)
		}
		logs.flush()
		if n := strings.Count(log.String(), "other_endpoint="+endpoint); n != want || b.z.counters.ownBeacons != 3 {
			t.Errorf("%s: %d warnings, %d own beacons, want %d and 3:\n%s", endpoint, n, b.z.counters.ownBeacons, want, log.String())
		}
		if all := logs.warnings.list(); len(all) != want || want == 1 && all[0].Count != 3 {
			t.Errorf("%s: warnings %+v, want %d that came 3 times", endpoint, all, want)
		}
	}
}
