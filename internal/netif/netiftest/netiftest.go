// Package netiftest invents interfaces for tests.
package netiftest

import (
	"net"
	"net/netip"
	"strings"

	"github.com/go-zyre/zyre/internal/netif"
)

// Flags of interfaces that are up.
const (
	LANFlags      = net.FlagUp | net.FlagRunning | net.FlagBroadcast | net.FlagMulticast
	LoopbackFlags = net.FlagUp | net.FlagRunning | net.FlagLoopback
	TunnelFlags   = net.FlagUp | net.FlagRunning | net.FlagPointToPoint | net.FlagMulticast
)

// Interface invents an interface without a default route.
func Interface(index int, name string, flags net.Flags, prefixes ...string) netif.Interface {
	h := netif.Interface{Name: name, Index: index, Flags: flags, Metric: netif.NoRoute}
	for _, p := range prefixes {
		h.Prefixes = append(h.Prefixes, netip.MustParsePrefix(p))
	}
	return h
}

// Routed gives an interface a default route.
func Routed(h netif.Interface, metric int) netif.Interface {
	h.Metric = metric
	return h
}

// Device puts hardware behind an interface.
func Device(h netif.Interface) netif.Interface {
	h.Hardware = true
	return h
}

// Port makes an interface a port of a bridge or bond.
func Port(h netif.Interface) netif.Interface {
	h.Port = true
	return h
}

// One interface of each kind, all up.
var (
	Lo            = Interface(1, "lo", LoopbackFlags, "127.0.0.1/8", "::1/128")
	Eth           = Interface(2, "eth0", LANFlags, "192.0.2.7/24", "fe80::7/64")
	Wlan          = Interface(3, "wlan0", LANFlags, "198.51.100.7/25", "fe80::8/64")
	Docker        = Interface(4, "docker0", LANFlags, "172.17.0.1/16")
	Veth          = Interface(5, "veth12ab", LANFlags, "fe80::5/64")
	Tun           = Interface(6, "tun0", TunnelFlags, "10.8.0.6/24")
	Bridge        = Interface(7, "br-0a1b2c", LANFlags, "172.18.0.1/16")
	ZeroConf      = Interface(8, "eth1", LANFlags, "169.254.3.4/16")
	IPv6          = Interface(9, "eth6", LANFlags, "fe80::9/64", "fd00::9/64")
	IPv6LinkLocal = Interface(10, "eth7", LANFlags, "fe80::a/64")
)

// Down switches an interface off.
func Down(h netif.Interface) netif.Interface {
	h.Flags &^= net.FlagUp | net.FlagRunning
	return h
}

// Unplugged takes the cable out.
func Unplugged(h netif.Interface) netif.Interface {
	h.Flags &^= net.FlagRunning
	return h
}

// Format writes "name address broadcast" of each link, joined by ", ".
func Format(links []netif.Link) string {
	var s []string
	for _, l := range links {
		broadcast := "-"
		if l.Broadcast.IsValid() {
			broadcast = l.Broadcast.String()
		}
		s = append(s, l.Name+" "+l.Addr.String()+" "+broadcast)
	}
	return strings.Join(s, ", ")
}
