package zyre

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAcquireContext_concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				tr, err := newZMQTransport()
				if err != nil {
					t.Error(err)
					return
				}
				in, err := tr.listen(listenOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(in.close(), tr.close(), tr.close()); err != nil {
					t.Error(err)
				}
				if _, err := tr.listen(listenOptions{}); !errors.Is(err, errClosed) {
					t.Errorf("listen() after close = %v, want %v", err, errClosed)
				}
			}
		})
	}
	wg.Wait()
}

func TestZMQTransport_close_open(t *testing.T) {
	tr := newTestTransport(t)
	in, err := tr.listen(listenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.close(); err == nil {
		t.Error("close() with an open inbox = nil, want an error")
	}
	if err := in.close(); err != nil {
		t.Error(err)
	}
}

func TestZMQInbox_bind_resolved(t *testing.T) {
	tr := newTestTransport(t)
	in, _ := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	for _, prefix := range []string{"tcp://127.0.0.1:", "tcp://[::1]:"} {
		bound, err := in.bind(prefix + "*")
		if err != nil {
			t.Skip(err) // no IPv6
		}
		if !strings.HasPrefix(bound, prefix) || checkEndpoint(bound) != nil {
			t.Errorf("bind(%s*) = %s", prefix, bound)
		}
	}
	path := "ipc://" + t.TempDir() + "/s"
	if bound, err := in.bind(path); bound != path || err != nil {
		t.Errorf("bind(%s) = %s, %v", path, bound, err)
	}
	m := mustDial(t, tr, path, dialOptions{})
	mustSend(t, m, pingHeader)
	var p packet
	mustRecv(t, in, &p)
	for _, endpoint := range []string{"", "x", "tcp://", "tcp://127.0.0.1:99999", "tcp://192.0.2.1:*"} {
		if _, err := in.bind(endpoint); err == nil {
			t.Errorf("bind(%q) = nil error", endpoint)
		}
	}
}

// resources counts what the process holds.
func resources(t testing.TB) (threads, descriptors, goroutines int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	for _, task := range tasks { // libzmq's; Go keeps its own threads
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.HasPrefix(string(name), "ZMQ") {
			threads++
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return threads, len(fds), runtime.NumGoroutine()
}

func TestZMQTransport_leak(t *testing.T) {
	public, secret := newKeys(t)
	round := func(i int) {
		tr, err := newZMQTransport()
		if err != nil {
			t.Fatal(err)
		}
		listen, dial := listenOptions{}, dialOptions{}
		if i%2 == 1 {
			listen = listenOptions{publicKey: public, secretKey: secret}
			dial = dialOptions{serverKey: public, publicKey: public, secretKey: secret}
		}
		in, err := tr.listen(listen)
		if err != nil {
			t.Fatal(err)
		}
		endpoint, err := in.bind("tcp://127.0.0.1:*")
		if err != nil {
			t.Fatal(err)
		}
		var p packet
		var boxes []mailbox
		for n := range 3 {
			dial.identity = fmt.Append([]byte{1}, n)
			m, err := tr.dial(endpoint, dial)
			if err != nil {
				t.Fatal(err)
			}
			boxes = append(boxes, m)
			mustSend(t, m, whisperHeader, []byte("x"))
			mustRecv(t, in, &p)
		}
		for _, m := range boxes {
			if err := m.close(time.Second); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(in.close(), tr.close()); err != nil {
			t.Error(err)
		}
	}
	round(0)
	round(1)
	threads, descriptors, goroutines := resources(t)
	for i := range 200 {
		round(i)
	}
	deadline := time.Now().Add(patience)
	for {
		th, fd, gr := resources(t)
		if th <= threads && fd <= descriptors && gr <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads %d → %d, descriptors %d → %d, goroutines %d → %d",
				threads, th, descriptors, fd, goroutines, gr)
		}
		runtime.Gosched() // a joined thread leaves /proc a moment later
	}
}

// TestZMQTransport_descriptors runs out of descriptors in a process of its own,
// because libzmq may abort it.
func TestZMQTransport_descriptors(t *testing.T) {
	if os.Getenv("ZYRE_TEST_DESCRIPTORS") != "" {
		exhaustDescriptors(t)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestZMQTransport_descriptors$", "-test.v")
	cmd.Env = append(os.Environ(), "ZYRE_TEST_DESCRIPTORS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func exhaustDescriptors(t *testing.T) {
	lowerDescriptorLimit(t, 128)
	tr := newTestTransport(t)
	in, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	var boxes []mailbox
	for i := range 200 {
		m, err := tr.dial(endpoint, dialOptions{identity: fmt.Append([]byte{1}, i)})
		if err != nil {
			if !errors.Is(err, errNoDescriptors) {
				t.Errorf("dial() = %v, want %v", err, errNoDescriptors)
			}
			break
		}
		boxes = append(boxes, m)
		mustSend(t, m, pingHeader)
		var p packet
		mustRecv(t, in, &p) // so that libzmq has opened what it needs
	}
	if len(boxes) < 10 || len(boxes) == 200 {
		t.Errorf("%d mailboxes with 128 descriptors", len(boxes))
	}
	if _, err := tr.listen(listenOptions{}); !errors.Is(err, errNoDescriptors) {
		t.Errorf("listen() = %v, want %v", err, errNoDescriptors)
	}
	if _, err := in.bind("tcp://127.0.0.1:*"); !errors.Is(err, errNoDescriptors) {
		t.Errorf("bind() = %v, want %v", err, errNoDescriptors)
	}
	for leave := range 8 { // now down to nothing at all
		hold := holdDescriptors(t, leave)
		if _, err := tr.dial(endpoint, dialOptions{identity: testIdentity}); !errors.Is(err, errNoDescriptors) {
			t.Errorf("dial() with %d descriptors left = %v, want %v", leave, err, errNoDescriptors)
		}
		hold()
	}
	for _, m := range boxes {
		if err := m.close(0); err != nil {
			t.Error(err)
		}
	}
}

// holdDescriptors opens all descriptors but leave and returns what closes them.
func holdDescriptors(t *testing.T, leave int) func() {
	t.Helper()
	var held []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	for ; leave > 0 && len(held) > 0; leave-- {
		held[len(held)-1].Close()
		held = held[:len(held)-1]
	}
	return func() {
		for _, f := range held {
			f.Close()
		}
	}
}

func BenchmarkZMQ_sendRecv(b *testing.B) {
	for name, header := range map[string][]byte{"ping": pingHeader, "whisper": whisperHeader} {
		b.Run(name, func(b *testing.B) {
			tr := newTestTransport(b)
			in, endpoint := mustListen(b, tr, listenOptions{}, "inproc://bench-"+name)
			m := mustDial(b, tr, endpoint, dialOptions{})
			var frames [][]byte
			if hasContent(header) {
				frames = [][]byte{make([]byte, 100)}
			}
			var p packet
			b.ReportAllocs()
			const batch = 250 // sent and received in turn, so this counts both sides
			for b.Loop() {
				for range batch {
					if err := m.send(header, frames); err != nil {
						b.Fatal(err)
					}
				}
				for range batch {
					mustRecv(b, in, &p)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/msg")
		})
	}
}

// BenchmarkZMQ_roundTrip is one message there and one back, over TCP, between two
// owners that park.
func BenchmarkZMQ_roundTrip(b *testing.B) {
	tr := newTestTransport(b)
	here, hereAt := mustListen(b, tr, listenOptions{}, "tcp://127.0.0.1:*")
	there, thereAt := mustListen(b, tr, listenOptions{}, "tcp://127.0.0.1:*")
	to := mustDial(b, tr, thereAt, dialOptions{})
	back := mustDial(b, tr, hereAt, dialOptions{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		var p packet
		for {
			mustRecv(b, there, &p)
			if p.header[2] == 6 || back.send(whisperHeader, p.frames) != nil {
				return
			}
		}
	}()
	frames := [][]byte{make([]byte, 100)}
	var p packet
	b.ReportAllocs()
	for b.Loop() {
		if err := to.send(whisperHeader, frames); err != nil {
			b.Fatal(err)
		}
		mustRecv(b, here, &p)
	}
	if err := to.send(pingHeader, nil); err != nil {
		b.Fatal(err)
	}
	<-done
}
