package doctor

import (
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// surroundings says what a system runs in, as far as it matters to a network. Root is its
// file system.
func surroundings(root fs.FS) (all []string) {
	read := func(path string) string {
		text, _ := fs.ReadFile(root, path) // what cannot be read says nothing
		return strings.ToLower(string(text))
	}
	exists := func(path string) bool {
		_, err := fs.Stat(root, path)
		return err == nil
	}
	hasAny := func(text string, words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	if hasAny(read("proc/sys/kernel/osrelease"), "microsoft") || exists("run/WSL") {
		all = append(all, "WSL: broadcasts of the LAN do not reach it, unless .wslconfig has networkingMode=mirrored")
	}
	if exists(".dockerenv") || exists("run/.containerenv") || hasAny(read("proc/1/cgroup"), "docker", "kubepods") ||
		hasAny(read("proc/1/environ"), "container=") {
		all = append(all, "a container: broadcasts of the LAN do not reach it, unless it has the network of its host (--network host)")
	}
	product := read("sys/class/dmi/id/sys_vendor") + " " + read("sys/class/dmi/id/product_name")
	if hasAny(product, "qemu", "kvm", "vmware", "virtualbox", "xen", "parallels", "virtual machine", "amazon ec2", "google compute", "bhyve") {
		all = append(all, "a virtual machine: broadcasts of the LAN reach it only if its card is bridged to it, not behind NAT; clouds never pass them")
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
