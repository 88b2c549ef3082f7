package doctor

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What a system runs in is read from its files.
func TestSurroundings(t *testing.T) {
	for _, c := range []struct{ name, path, text, want string }{
		{"bare metal", "sys/class/dmi/id/sys_vendor", "Dell Inc.\n", ""},
		{"WSL", "proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "WSL"},
		{"WSL of another kernel", "run/WSL/1_interop", "", "WSL"},
		{"docker", ".dockerenv", "", "a container"},
		{"podman", "run/.containerenv", "", "a container"},
		{"docker of cgroup v1", "proc/1/cgroup", "12:pids:/docker/0123\n", "a container"},
		{"kubernetes", "proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", "a container"},
		{"lxc, nspawn", "proc/1/environ", "PATH=/bin\x00container=lxc\x00", "a container"},
		{"QEMU", "sys/class/dmi/id/sys_vendor", "QEMU\n", "a virtual machine"},
		{"VirtualBox", "sys/class/dmi/id/product_name", "VirtualBox\n", "a virtual machine"},
		{"Hyper-V", "sys/class/dmi/id/product_name", "Virtual Machine\n", "a virtual machine"},
		{"VMware", "sys/class/dmi/id/sys_vendor", "VMware, Inc.\n", "a virtual machine"},
		{"a cloud", "sys/class/dmi/id/sys_vendor", "Amazon EC2\n", "a virtual machine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := surroundings(fstest.MapFS{c.path: {Data: []byte(c.text)}})
			if c.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], c.want+":") {
				t.Errorf("surroundings = %q, want that of %q", got, c.want)
			}
		})
	}
	if got := surroundings(fstest.MapFS{}); len(got) != 0 {
		t.Errorf("surroundings of nothing = %q, want nothing", got)
	}
}
