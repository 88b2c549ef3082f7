package tcpinfo

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A KeptFile stays open while somebody keeps it, so that it can be read while the process has no
// descriptor left. Any goroutine may use it.
type KeptFile struct {
	path  string
	flags int

	mu    sync.Mutex
	users int
	ownDescriptor
}

// NewKeptFile names a file, which nobody keeps yet.
func NewKeptFile(path string) *KeptFile { return &KeptFile{path: path} }

// Keep opens the file, and has it stay open until Release. If that fails, Use tries again.
func (f *KeptFile) Keep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	f.ensure()
}

// Release takes back one Keep.
func (f *KeptFile) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users == 0 {
		f.close()
	}
}

// Use calls use with a descriptor of the file, by one goroutine at a time. Where it was read to
// last is where it is still. A file that nobody keeps is opened for that.
func (f *KeptFile) Use(use func(fd int) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users > 0 && f.ensure() {
		return use(f.fd)
	}
	fd, err := f.openNew()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return use(fd)
}

func (f *KeptFile) ensure() bool {
	if !f.isOurs() {
		f.take(f.openNew())
	}
	return f.open
}

func (f *KeptFile) openNew() (fd int, err error) {
	return unix.Open(f.path, unix.O_RDONLY|unix.O_CLOEXEC|f.flags, 0)
}

// An ownDescriptor is kept open by this package. A program that closes all of its descriptors, as
// daemons do, closes this one too, and its number is then somebody else's: so it is neither used nor
// closed unless it still is the same file.
type ownDescriptor struct {
	open bool
	fd   int
	file unix.Stat_t // of which the device and the inode tell files apart
}

// take has it be fd, unless err says that there is none.
func (d *ownDescriptor) take(fd int, err error) {
	*d = ownDescriptor{}
	if err != nil {
		return
	}
	if err := unix.Fstat(fd, &d.file); err != nil {
		_ = unix.Close(fd)
		return
	}
	d.open, d.fd = true, fd
}

func (d *ownDescriptor) isOurs() bool {
	var now unix.Stat_t
	return d.open && unix.Fstat(d.fd, &now) == nil && now.Dev == d.file.Dev && now.Ino == d.file.Ino
}

func (d *ownDescriptor) close() {
	if d.isOurs() {
		_ = unix.Close(d.fd)
	}
	*d = ownDescriptor{}
}

// directory lists the descriptors of this process.
var directory = &KeptFile{path: "/proc/self/fd", flags: unix.O_DIRECTORY}

// spare is a duplicate of directory while nobody needs it. A duplicate of a connection can take its
// number while there is no other.
var spare spareDescriptor

type spareDescriptor struct {
	mu    sync.Mutex
	users int
	ownDescriptor
}

func keep() {
	directory.Keep()
	spare.mu.Lock()
	defer spare.mu.Unlock()
	spare.users++
	spare.ensure()
}

func release() {
	spare.mu.Lock()
	if spare.users--; spare.users == 0 {
		spare.close()
	}
	spare.mu.Unlock()
	directory.Release()
}

// ensure makes the spare descriptor if there is none.
func (s *spareDescriptor) ensure() bool {
	if !s.isOurs() {
		s.ownDescriptor = ownDescriptor{}
		_ = directory.Use(func(dir int) error {
			s.take(duplicate(dir))
			return nil
		})
	}
	return s.open
}

// number returns the descriptor, -1 if there is none. While a connection is reset it is that
// connection a second time.
func (s *spareDescriptor) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isOurs() {
		return -1
	}
	return s.fd
}

// withDuplicate calls use with a duplicate of a descriptor, and returns what it returns; false if
// there can be none.
func (s *spareDescriptor) withDuplicate(of int, use func(fd int) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users > 0 && s.ensure() && unix.Dup3(of, s.fd, unix.O_CLOEXEC) == nil {
		defer s.restore()
		return use(s.fd)
	}
	fd, err := duplicate(of)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return use(fd)
}

// restore has the number be that of the directory again. In between it is never free, so that
// nobody else can get it.
func (s *spareDescriptor) restore() {
	fd := s.fd
	err := directory.Use(func(dir int) error { return unix.Dup3(dir, fd, unix.O_CLOEXEC) })
	if err != nil {
		_ = unix.Close(fd) // or the connection would stay
	}
	s.take(fd, err)
}

func duplicate(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
