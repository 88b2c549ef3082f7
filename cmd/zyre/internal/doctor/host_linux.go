package doctor

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// surroundings says what this system runs in, as far as it matters to a network.
func surroundings() (all []string) {
	read := func(path string) string {
		text, _ := os.ReadFile(path) // what cannot be read says nothing
		return strings.ToLower(string(text))
	}
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	kernel := read("/proc/sys/kernel/osrelease")
	if strings.Contains(kernel, "microsoft") || exists("/run/WSL") {
		all = append(all, "WSL: broadcasts of the LAN do not reach it, unless .wslconfig has networkingMode=mirrored")
	}
	cgroup := read("/proc/1/cgroup")
	switch {
	case exists("/.dockerenv"), exists("/run/.containerenv"), strings.Contains(cgroup, "docker"), strings.Contains(cgroup, "kubepods"),
		strings.Contains(read("/proc/1/environ"), "container="):
		all = append(all, "a container: broadcasts of the LAN do not reach it, unless it has the network of its host (--network host)")
	}
	product := read("/sys/class/dmi/id/sys_vendor") + " " + read("/sys/class/dmi/id/product_name")
	for _, maker := range []string{"qemu", "kvm", "vmware", "virtualbox", "xen", "parallels", "virtual machine", "amazon ec2", "google compute", "bhyve"} {
		if strings.Contains(product, maker) {
			all = append(all, "a virtual machine: broadcasts of the LAN reach it only if its card is bridged to it, not behind NAT; clouds never pass them")
			break
		}
	}
	return all
}

// descriptorLimit is how many files a process may have open.
func descriptorLimit() (limit uint64, ok bool) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	return l.Cur, true
}
