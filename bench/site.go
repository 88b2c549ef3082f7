package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// site is where a process runs. It is told by its environment, as the C program is.
type site struct {
	netns   string // name of a network namespace; empty for that of the benchmark
	iface   string
	address string // of the interface
}

const (
	siteInterface = "ZYRE_BENCH_INTERFACE"
	siteAddress   = "ZYRE_BENCH_ADDRESS"
)

var loopback = site{iface: "lo", address: "127.0.0.1"}

// here is the site of this process.
func here() site {
	s := loopback
	if iface, ok := os.LookupEnv(siteInterface); ok {
		s.iface, s.address = iface, os.Getenv(siteAddress)
	}
	return s
}

// command makes a command that runs at the site.
func (s site) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if s.netns != "" {
		name, args = "ip", append([]string{"netns", "exec", s.netns, name}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), siteInterface+"="+s.iface, siteAddress+"="+s.address)
	return cmd
}

// wire is two sites that processes talk between, which it makes.
type wire func(context.Context) (a, b site, remove func(), err error)

// overLoopback has both on the loopback interface.
func overLoopback(context.Context) (a, b site, remove func(), err error) {
	return loopback, loopback, func() {}, nil
}

// overVeth makes two network namespaces that are joined by a pair of virtual interfaces.
func overVeth(ctx context.Context) (a, b site, remove func(), err error) {
	end := func(name, address string) site {
		return site{netns: fmt.Sprintf("zyre-bench-%d-%s", os.Getpid(), name), iface: "veth", address: address}
	}
	a, b = end("a", "10.9.0.1"), end("b", "10.9.0.2")
	remove = func() {
		for _, s := range []site{a, b} {
			_ = exec.Command("ip", "netns", "del", s.netns).Run()
		}
	}
	commands := []string{
		"netns add " + a.netns, "netns add " + b.netns,
		"-n " + a.netns + " link add veth type veth peer name veth netns " + b.netns,
	}
	for _, s := range []site{a, b} {
		commands = append(commands, "-n "+s.netns+" address add "+s.address+"/24 brd + dev veth",
			"-n "+s.netns+" link set lo up", "-n "+s.netns+" link set veth up")
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			remove()
			return a, b, nil, fmt.Errorf("ip %s: %w: %s", c, err, strings.TrimSpace(string(out)))
		}
	}
	return a, b, remove, nil
}

// mayUnshare says why there can be no network namespaces.
func mayUnshare() error {
	_, _, remove, err := overVeth(context.Background())
	if err == nil {
		remove()
	}
	return err
}
