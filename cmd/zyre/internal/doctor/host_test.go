package doctor

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
)

// anInterface is one that is up.
func anInterface(name string, flags net.Flags, hardware bool, prefix string) netif.Interface {
	return netif.Interface{
		Name: name, Index: len(name) + int(name[0]), Flags: net.FlagUp | net.FlagRunning | flags, Hardware: hardware,
		Metric: netif.NoRoute, Prefixes: []netip.Prefix{netip.MustParsePrefix(prefix)},
	}
}

const broadcasts = net.FlagBroadcast | net.FlagMulticast

// What the interfaces of a host show.
func TestExamination_judgeInterfaces(t *testing.T) {
	lo := anInterface("lo", net.FlagLoopback, false, "127.0.0.1/8")
	lan := anInterface("eth0", broadcasts, true, "192.168.1.7/24")
	docker := anInterface("docker0", broadcasts, false, "172.17.0.1/16")
	tunnel := anInterface("tun0", net.FlagPointToPoint|net.FlagMulticast, false, "10.8.0.2/24")
	cloud := anInterface("ens3", broadcasts, true, "8.8.4.4/24")
	down := lan
	down.Flags = broadcasts
	for _, c := range []struct {
		name   string
		config Config
		host   []netif.Interface
		err    error
		want   string // the faults
		says   string // in the first of them
	}{
		{"a LAN", Config{}, []netif.Interface{lo, lan, docker, tunnel}, nil, "", ""},
		{"containers only", Config{}, []netif.Interface{lo, docker}, nil, "virtual", "docker0"},
		{"containers, by name", Config{Interface: "docker0"}, []netif.Interface{lo, docker}, nil, "", ""},
		{"a tunnel, by name", Config{Interface: "tun0"}, []netif.Interface{lo, lan, tunnel}, nil, "tunnel", "tun0, a tunnel"},
		{"loopback, by name", Config{Interface: "lo"}, []netif.Interface{lo, lan}, nil, "", ""},
		{"nothing but loopback", Config{}, []netif.Interface{lo, down}, nil, "only-loopback", "no other interface is up"},
		{"the internet", Config{}, []netif.Interface{lo, cloud}, nil, "public", "8.8.4.4"},
		{"the internet, secure", Config{PublicKey: "key"}, []netif.Interface{lo, cloud}, nil, "", ""},
		{"no such name", Config{Interface: "eth9"}, []netif.Interface{lo, lan}, nil, "no-interface", "eth9"},
		{"no interface", Config{}, nil, nil, "no-network", "no interface"},
		{"no list", Config{}, nil, errors.New("refused"), "interfaces", "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Beaconing = true
			x := &examination{Config: c.config, report: &Report{}}
			x.judgeInterfaces(c.host, c.err)
			var ids []string
			for _, f := range x.report.Faults {
				ids = append(ids, f.ID)
				if f.Do == "" {
					t.Errorf("fault %+v does not say what to do", f)
				}
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Fatalf("faults %q, want %q: %+v", got, c.want, x.report.Faults)
			}
			if c.want != "" && !strings.Contains(x.report.Faults[0].What, c.says) {
				t.Errorf("fault %q, want %q in it", x.report.Faults[0].What, c.says)
			}
			if c.err == nil && len(x.report.Interfaces) != len(c.host) {
				t.Errorf("%d interfaces are listed, want %d", len(x.report.Interfaces), len(c.host))
			}
		})
	}
}

// The table says of each interface what it is.
func TestKindOf(t *testing.T) {
	for want, h := range map[string]netif.Interface{
		"loopback":         anInterface("lo", net.FlagLoopback, false, "127.0.0.1/8"),
		"network":          anInterface("eth0", broadcasts, true, "192.168.1.7/24"),
		"tunnel":           anInterface("tun0", net.FlagPointToPoint, false, "10.8.0.2/24"),
		"no broadcast":     anInterface("wwan0", net.FlagMulticast, true, "10.9.0.2/24"),
		"down":             {Name: "eth1", Flags: broadcasts},
		"no carrier":       {Name: "eth2", Flags: net.FlagUp | broadcasts, Hardware: true},
		"port of a bridge": {Name: "eth3", Flags: net.FlagUp | net.FlagRunning | broadcasts, Port: true},
		"virtual: of containers, virtual machines or a tunnel": anInterface("virbr0", broadcasts, false, "192.168.122.1/24"),
	} {
		if got := kindOf(h); got != want {
			t.Errorf("kindOf(%s) = %q, want %q", h.Name, got, want)
		}
	}
}

func TestExamination_judgeDescriptors(t *testing.T) {
	for limit, want := range map[uint64]int{64: 1, 255: 1, 256: 0, 1024: 0} {
		x := &examination{report: &Report{}}
		x.judgeDescriptors(limit)
		if len(x.report.Faults) != want || len(x.report.Facts) != 1 {
			t.Errorf("with %d descriptors: %+v, want %d faults", limit, x.report.Faults, want)
		}
	}
}
