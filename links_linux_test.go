package zyre

import (
	"maps"
	"testing"
)

func TestParseRoutes(t *testing.T) {
	const table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
		"eth0\t00000000\t020200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
		"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
		"tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000080\t0\t0\t0\n" +
		"gone\t00000000\t00000000\t0002\t0\t0\t50\t00000000\t0\t0\t0\n" +
		"lo\t00000000\t00000000\t0201\t0\t0\t50\t00000000\t0\t0\t0\n" +
		"bad\t00000000\t00000000\tzzzz\t0\t0\t50\t00000000\n" +
		"bad\t00000000\t00000000\t0001\t0\t0\tx\t00000000\n" +
		"short\t00000000\n\n"
	want := map[string]int{"eth0": 100}
	if got := parseRoutes([]byte(table)); !maps.Equal(got, want) {
		t.Errorf("parseRoutes() = %v, want %v", got, want)
	}
}
