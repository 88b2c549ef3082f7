package netif

import (
	"fmt"
	"net"
	"net/netip"
)

// list describes the interfaces that the host has now.
func list() ([]Interface, error) {
	host, err := listByDefault()
	if err == nil {
		return host, nil
	}
	if other, err2 := listWithoutNetlink(); err2 == nil {
		return other, nil
	}
	return nil, err
}

// listByDefault describes the interfaces by package net, which needs netlink on Linux.
func listByDefault() ([]Interface, error) {
	ifis, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("zyre: list the interfaces (on Linux by netlink): %w", err)
	}
	prefixes, err := prefixesByIndex(ifis)
	if err != nil {
		return nil, fmt.Errorf("zyre: list the addresses (on Linux by netlink): %w", err)
	}
	routes := defaultRoutes()
	host := make([]Interface, 0, len(ifis))
	for _, ifi := range ifis {
		metric, ok := routes[ifi.Name]
		if !ok {
			metric = NoRoute
		}
		h := Interface{
			Name: ifi.Name, Index: ifi.Index, Flags: ifi.Flags,
			Prefixes: prefixes[ifi.Index], Metric: metric,
		}
		h.findHardware()
		host = append(host, h)
	}
	return host, nil
}

// findHardware sets Hardware and Port of an interface that may be chosen. To look for them
// takes time.
func (h *Interface) findHardware() {
	if h.Flags&(net.FlagUp|net.FlagLoopback) == net.FlagUp {
		h.Hardware, h.Port = hasDevice(sysNet, h.Name), isPort(sysNet, h.Name)
	}
}

// Prefixes asks the system for the addresses of one interface.
func Prefixes(ifi *net.Interface) ([]netip.Prefix, error) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(ipnet.IP)
		if !ok {
			continue
		}
		ones, _ := ipnet.Mask.Size()
		prefixes = append(prefixes, netip.PrefixFrom(addr.Unmap(), ones))
	}
	return prefixes, nil
}
