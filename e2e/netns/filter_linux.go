package netns

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// A Rule is one of a host's firewall, in the words of nft behind its chain: In or Out.
type Rule string

// In is a rule for what comes in.
func In(rule string) Rule { return Rule("add rule inet zyre in " + rule + ";") }

// Out is a rule for what goes out.
func Out(rule string) Rule { return Rule("add rule inet zyre out " + rule + ";") }

// Loss drops every so many of a hundred packets that come in.
func Loss(percent int) Rule {
	return In(fmt.Sprintf("iif != lo numgen random mod 100 < %d drop", percent))
}

// Filter sets the rules of the host's firewall in place of all others. Without rules
// everything passes.
func (h *Host) Filter(rules ...Rule) {
	h.net.t.Helper()
	h.net.need("nft")
	var set strings.Builder
	set.WriteString("add table inet zyre; delete table inet zyre;")
	if len(rules) > 0 {
		set.WriteString("add table inet zyre;" +
			"add chain inet zyre in { type filter hook input priority 0; };" +
			"add chain inet zyre out { type filter hook output priority 0; };")
	}
	for _, rule := range rules {
		set.WriteString(string(rule))
	}
	h.run("nft", set.String())
}

// BlockBroadcasts has the switches drop the broadcasts of IPv4 to an address, that of a subnet, and to
// 255.255.255.255, but not those of ARP, as access points do that keep their clients apart.
// It skips the test where switches cannot filter.
func (h *Host) BlockBroadcasts(addr string) {
	h.net.t.Helper()
	h.net.need("nft")
	rules := "add table bridge zyre; add chain bridge zyre f { type filter hook forward priority 0; };" +
		"add rule bridge zyre f ip daddr { " + addr + ", 255.255.255.255 } drop"
	if out, err := exec.Command("ip", "netns", "exec", h.net.space, "nft", rules).CombinedOutput(); err != nil {
		h.net.t.Skipf("the switches cannot filter: %v: %s", err, out)
	}
}

// Counted returns how many packets the first rule with the word counter has met.
func (h *Host) Counted() int {
	h.net.t.Helper()
	return h.CountedBy(0)
}

// CountedBy returns how many packets one of the rules with the word counter has met; 0 is the first.
func (h *Host) CountedBy(rule int) int {
	h.net.t.Helper()
	met := regexp.MustCompile(`packets (\d+)`).FindAllStringSubmatch(h.run("nft", "list table inet zyre"), -1)
	if rule >= len(met) {
		h.net.t.Fatalf("%s has %d rules with a counter, want %d or more", h.Name, len(met), rule+1)
	}
	count, err := strconv.Atoi(met[rule][1])
	if err != nil {
		h.net.t.Fatal(err)
	}
	return count
}
