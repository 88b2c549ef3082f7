package transport_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/e2e/sandbox"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// What the process has in memory is asked anew each time, whether or not there is a transport
// that keeps open where it is told. It has a process of its own, for no other test to give memory
// back meanwhile.
func TestResidentMemory(t *testing.T) {
	if !sandbox.InChild(t) {
		return
	}
	for _, isKept := range []bool{false, true} {
		if isKept {
			transporttest.NewZMQ(t)
		}
		before, told := transport.ResidentMemory(), resident(t)
		if before < told/2 || before > told*2 {
			t.Errorf("kept %t: %d bytes, want about the %d of /proc/self/status", isKept, before, told)
		}
		const size = 64 << 20
		block, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < size; i += unix.Getpagesize() {
			block[i] = 1
		}
		if after := transport.ResidentMemory(); after < before+size*3/4 {
			t.Errorf("kept %t: %d bytes and then %d, want %d more", isKept, before, after, size)
		}
		if err := unix.Munmap(block); err != nil {
			t.Fatal(err)
		}
	}
}
