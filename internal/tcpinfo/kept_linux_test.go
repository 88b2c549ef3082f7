package tcpinfo

import (
	"bytes"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/e2e/sandbox"
)

// kept has the package keep what it needs until the test ends.
func kept(t *testing.T) {
	t.Helper()
	Keep()
	t.Cleanup(Release)
}

// descriptorsNow lists those of the process, but the spare one.
func descriptorsNow(t *testing.T) []int {
	t.Helper()
	fds, err := descriptors(0, spare.number())
	if err != nil {
		t.Fatal(err)
	}
	return fds
}

// takeAll takes all descriptors that the process may still have.
func takeAll(t *testing.T) {
	t.Helper()
	limit := unix.Rlimit{Cur: 128, Max: 128}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip(err)
	}
	for {
		if _, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == unix.EMFILE {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A process that has no descriptor left sees its connections, and resets them. It has a process
// of its own, which the test takes them from.
func TestKeep_noDescriptors(t *testing.T) {
	if !sandbox.InChild(t) {
		return
	}
	kept(t)
	const count = 3
	var conns []Conn
	for range count {
		dialed, accepted := connect(t)
		setProbes(t, accepted)
		setProbes(t, dialed)
		conns = append(conns, Of(descriptor(t, accepted)), Of(descriptor(t, dialed)))
	}
	takeAll(t)
	if _, err := os.Open(os.DevNull); err == nil {
		t.Fatal("there still are descriptors")
	}
	var all []Reading
	for range 3 {
		all = All(all)
		for _, c := range conns {
			if !contains(all, c) {
				t.Fatalf("All() = %v, want %v among them", all, c)
			}
		}
	}
	for i, c := range conns {
		if i%2 == 1 {
			continue
		}
		if c.Reset(Keepalive{}) {
			t.Error("Reset() of a connection that probes differently = true, want false")
		}
		if !c.Reset(probes) {
			t.Errorf("Reset() of number %d = false, want true", i)
		}
		all = All(all)
		for j, c := range conns {
			if got, want := contains(all, c), j > i+1; got != want {
				t.Errorf("after number %d was reset All() has number %d: %t, want %t", i, j, got, want)
			}
		}
	}
}

// What is kept is read anew each time, is the same few descriptors however often, is not passed
// on to programs that are started, and is given back at last.
func TestKeep(t *testing.T) {
	before := descriptorsNow(t)
	kept(t)
	kept(t)
	if got := len(descriptorsNow(t)); got != len(before) { // the directory is open in both, and the spare left out
		t.Errorf("%d descriptors while they are kept, want %d as without", got, len(before))
	}
	dialed, accepted := connect(t)
	setProbes(t, accepted)
	if all := descriptorsNow(t); !slices.Contains(all, descriptor(t, dialed)) || !slices.Contains(all, descriptor(t, accepted)) {
		t.Errorf("descriptors() = %v, without those of a new connection", all)
	}
	if !Of(descriptor(t, accepted)).Reset(probes) {
		t.Error("Reset() = false, want true")
	}
	for _, fd := range []int{directory.fd, spare.fd} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags of %d = %d, %v, want FD_CLOEXEC", fd, flags, err)
		}
	}
	fds := []int{directory.fd, spare.fd}
	Keep()
	Release()
	for _, fd := range fds {
		if !slices.Contains([]int{directory.fd, spare.fd}, fd) || unix.Fstat(fd, new(unix.Stat_t)) != nil {
			t.Errorf("%d is not kept any more", fd)
		}
	}
}

func TestRelease(t *testing.T) {
	Keep()
	Release()
	if directory.open || spare.open {
		t.Error("something is open that nobody keeps")
	}
}

// A number that the application has closed, and that is something else now, is left alone.
func TestKeep_closedByOthers(t *testing.T) {
	kept(t)
	dialed, accepted := connect(t)
	setProbes(t, accepted)
	other, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	fds := []int{directory.fd, spare.fd}
	for _, fd := range fds {
		if err := unix.Dup3(int(other.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	for range 2 {
		if all := All(nil); !contains(all, Of(descriptor(t, dialed))) {
			t.Errorf("All() = %v, without a connection", all)
		}
	}
	if !Of(descriptor(t, accepted)).Reset(probes) {
		t.Error("Reset() = false, want true")
	}
	var want unix.Stat_t
	if err := unix.Fstat(int(other.Fd()), &want); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		var got unix.Stat_t
		if err := unix.Fstat(fd, &got); err != nil || got.Ino != want.Ino {
			t.Errorf("descriptor %d of the application is another file now: %v", fd, err)
		}
	}
}

// A look misses no connection if the application has closed the spare descriptor, nor one that has
// its number since.
func TestKeep_spareClosed(t *testing.T) {
	kept(t)
	for range 100 {
		connect(t)
	}
	c := Of(descriptor(t, first(connect(t))))
	last := slices.Max(descriptorsNow(t))
	high := duplicateFrom(t, c, last+1)
	number := spare.fd
	if err := unix.Close(number); err != nil {
		t.Fatal(err)
	}
	if all := All(nil); !contains(all, high) {
		t.Error("the last one was missed")
	}
	if err := unix.Dup3(c.fd, number, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(number)
	if all := All(nil); !contains(all, Of(number)) || !contains(all, high) {
		t.Error("one was missed that has the number of the spare descriptor, or the last one")
	}
}

// Looks and resets at the same time neither miss a connection nor see one twice, and hit none but
// that which they are to.
func TestKeep_atOnce(t *testing.T) {
	kept(t)
	stays, other := connect(t)
	setProbes(t, stays)
	want := Of(descriptor(t, stays))
	done := make(chan struct{})
	var looks sync.WaitGroup
	for range 3 {
		looks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				seen := 0
				for _, r := range All(nil) {
					if r.local == want.local && r.remote == want.remote {
						seen++
					}
				}
				if seen != 1 {
					t.Errorf("a look saw the connection %d times, want once", seen)
					return
				}
			}
		})
	}
	var resets sync.WaitGroup
	for range 2 {
		var conns []Conn
		for range 50 {
			_, accepted := connect(t)
			setProbes(t, accepted)
			conns = append(conns, Of(descriptor(t, accepted)))
		}
		resets.Go(func() {
			for _, c := range conns {
				if want.Reset(Keepalive{}) { // it is duplicated for that
					t.Error("Reset() of a connection that probes differently = true, want false")
				}
				if !c.Reset(probes) {
					t.Error("Reset() = false, want true")
				}
			}
		})
	}
	resets.Wait()
	close(done)
	looks.Wait()
	if _, err := other.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := stays.Read(make([]byte, 1)); err != nil {
		t.Errorf("the connection that stays: %v", err)
	}
}

func TestKeptFile(t *testing.T) {
	path := t.TempDir() + "/file"
	read := func(f *KeptFile) (text string, fd int) {
		buffer := make([]byte, 8)
		err := f.Use(func(n int) (err error) {
			fd = n
			count, err := unix.Pread(n, buffer, 0)
			text = string(bytes.TrimRight(buffer[:max(count, 0)], "\x00"))
			return err
		})
		if err != nil {
			return err.Error(), -1
		}
		return text, fd
	}
	f := NewKeptFile(path)
	if got, _ := read(f); got != unix.ENOENT.Error() {
		t.Errorf("without the file: %q, want %q", got, unix.ENOENT)
	}
	f.Keep() // there is none yet
	if err := os.WriteFile(path, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, fd := read(f)
	if got != "a" {
		t.Errorf("once there is a file: %q, want a", got)
	}
	if err := os.WriteFile(path, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, again := read(f); got != "b" || again != fd {
		t.Errorf("read again: %q by descriptor %d, want b by %d", got, again, fd)
	}
	f.Release()
	if unix.Fstat(fd, new(unix.Stat_t)) == nil {
		t.Errorf("descriptor %d is open that nobody keeps", fd)
	}
	if got, _ := read(f); got != "b" {
		t.Errorf("a file that nobody keeps: %q, want b", got)
	}
}
