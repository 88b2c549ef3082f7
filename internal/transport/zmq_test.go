package transport_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/sandbox"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// patience is how long tests wait for what must happen.
const patience = 20 * time.Second

// The contract holds whether connections are made by inproc or not, and with releases of
// zmq4 whose sockets C cannot be given.
func TestZMQ_contract(t *testing.T) {
	for name, configure := range map[string]func(*transport.ZMQ){
		"inproc": func(*transport.ZMQ) {},
		"tcp":    (*transport.ZMQ).DisableInproc,
		"public": func(tr *transport.ZMQ) {
			tr.DisableInproc()
			tr.UsePublicOnly()
		},
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Contract(t, func(t testing.TB) transport.Transport {
				tr := transporttest.NewZMQ(t)
				configure(tr)
				return tr
			})
		})
	}
}

func TestZMQ_Close_open(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	in, err := tr.Listen(transport.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err == nil {
		t.Error("Close() with an open inbox = nil, want an error")
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func TestZMQ_leak(t *testing.T) {
	public, secret := transporttest.NewKeys(t)
	round := func(i int) {
		tr, err := transport.NewZMQ()
		if err != nil {
			t.Fatal(err)
		}
		listen, dial := transport.ListenOptions{}, transport.DialOptions{}
		if i%2 == 1 {
			listen = transport.ListenOptions{PublicKey: public, SecretKey: secret}
			dial = transport.DialOptions{ServerKey: public, PublicKey: public, SecretKey: secret}
		}
		in, err := tr.Listen(listen)
		if err != nil {
			t.Fatal(err)
		}
		endpoint, err := in.Bind("tcp://127.0.0.1:*")
		if err != nil {
			t.Fatal(err)
		}
		var p transport.Packet
		var boxes []transport.Mailbox
		for n := range 3 {
			dial.Identity = fmt.Append([]byte{1}, n)
			m, err := tr.Dial(endpoint, dial)
			if err != nil {
				t.Fatal(err)
			}
			boxes = append(boxes, m)
			transporttest.MustSend(t, m, transporttest.WhisperHeader, []byte("x"))
			transporttest.MustRecv(t, in, &p)
		}
		for _, m := range boxes {
			if err := m.Close(time.Second); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(in.Close(), tr.Close()); err != nil {
			t.Error(err)
		}
	}
	round(0)
	round(1)
	threads, descriptors, goroutines := transporttest.Resources(t)
	for i := range 200 {
		round(i)
	}
	deadline := time.Now().Add(patience)
	for {
		th, fd, gr := transporttest.Resources(t)
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

// TestZMQ_descriptors runs out of descriptors in a process of its own,
// because libzmq may abort it.
func TestZMQ_descriptors(t *testing.T) {
	if sandbox.InChild(t) {
		exhaustDescriptors(t)
	}
}

func exhaustDescriptors(t *testing.T) {
	lowerDescriptorLimit(t, 128)
	tr := transporttest.NewZMQ(t)
	in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	var boxes []transport.Mailbox
	for i := range 200 {
		m, err := tr.Dial(endpoint, transport.DialOptions{Identity: fmt.Append([]byte{1}, i)})
		if err != nil {
			if !errors.Is(err, transport.ErrNoDescriptors) {
				t.Errorf("Dial() = %v, want %v", err, transport.ErrNoDescriptors)
			}
			break
		}
		boxes = append(boxes, m)
		transporttest.MustSend(t, m, transporttest.PingHeader)
		var p transport.Packet
		transporttest.MustRecv(t, in, &p) // so that libzmq has opened what it needs
	}
	if len(boxes) < 10 || len(boxes) == 200 {
		t.Errorf("%d mailboxes with 128 descriptors", len(boxes))
	}
	if _, err := tr.Listen(transport.ListenOptions{}); !errors.Is(err, transport.ErrNoDescriptors) {
		t.Errorf("Listen() = %v, want %v", err, transport.ErrNoDescriptors)
	}
	if _, err := in.Bind("tcp://127.0.0.1:*"); !errors.Is(err, transport.ErrNoDescriptors) {
		t.Errorf("Bind() = %v, want %v", err, transport.ErrNoDescriptors)
	}
	for leave := range 8 { // now down to nothing at all
		hold := holdDescriptors(t, leave)
		if _, err := tr.Dial(endpoint, transport.DialOptions{Identity: transporttest.Identity}); !errors.Is(err, transport.ErrNoDescriptors) {
			t.Errorf("Dial() with %d descriptors left = %v, want %v", leave, err, transport.ErrNoDescriptors)
		}
		hold()
	}
	for _, m := range boxes {
		if err := m.Close(0); err != nil {
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

func TestZMQ_keys(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	public, secret := transporttest.NewKeys(t)
	other, _ := transporttest.NewKeys(t)
	for _, opts := range []transport.ListenOptions{
		{PublicKey: public}, {SecretKey: secret}, {PublicKey: other, SecretKey: secret},
		{PublicKey: "x", SecretKey: secret}, {PublicKey: public, SecretKey: "x"},
		{PublicKey: public, SecretKey: secret, ZapDomain: strings.Repeat("x", 201)},
	} {
		if _, err := tr.Listen(opts); err == nil {
			t.Errorf("Listen(%q, domain of %d) = nil error", opts.PublicKey, len(opts.ZapDomain))
		} else if secret := opts.SecretKey; len(secret) > 1 && strings.Contains(err.Error(), secret) {
			t.Errorf("Listen() = %v, which shows the secret key", err)
		}
	}
	for _, opts := range []transport.DialOptions{
		{ServerKey: public}, {PublicKey: public, SecretKey: secret}, {ServerKey: "x", PublicKey: public, SecretKey: secret},
		{ServerKey: strings.Repeat("|", 40), PublicKey: public, SecretKey: secret},
		{ServerKey: public, PublicKey: other, SecretKey: secret},
	} {
		opts.Identity = transporttest.Identity
		if _, err := tr.Dial("tcp://127.0.0.1:9", opts); err == nil {
			t.Errorf("Dial(server key %q) = nil error", opts.ServerKey)
		}
	}
	if tr.AnswersZAP() {
		t.Error("responder left behind by refused listeners")
	}
}

func BenchmarkZMQ_sendRecv(b *testing.B) {
	for name, header := range map[string][]byte{"ping": transporttest.PingHeader, "whisper": transporttest.WhisperHeader} {
		b.Run(name, func(b *testing.B) {
			tr := transporttest.NewZMQ(b)
			in, endpoint := transporttest.MustListen(b, tr, transport.ListenOptions{}, "inproc://bench-"+name)
			m := transporttest.MustDial(b, tr, endpoint, transport.DialOptions{})
			var frames [][]byte
			if transport.HasContent(header) {
				frames = [][]byte{make([]byte, 100)}
			}
			var p transport.Packet
			b.ReportAllocs()
			const batch = 250 // sent and received in turn, so this counts both sides
			for b.Loop() {
				for range batch {
					if err := m.Send(header, frames); err != nil {
						b.Fatal(err)
					}
				}
				for range batch {
					transporttest.MustRecv(b, in, &p)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/msg")
		})
	}
}

// BenchmarkZMQ_roundTrip is one message there and one back, over TCP, between two
// owners that park.
func BenchmarkZMQ_roundTrip(b *testing.B) {
	tr := transporttest.NewZMQ(b)
	here, hereAt := transporttest.MustListen(b, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	there, thereAt := transporttest.MustListen(b, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	to := transporttest.MustDial(b, tr, thereAt, transport.DialOptions{})
	back := transporttest.MustDial(b, tr, hereAt, transport.DialOptions{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		var p transport.Packet
		for {
			transporttest.MustRecv(b, there, &p)
			if p.Header[2] == 6 || back.Send(transporttest.WhisperHeader, p.Frames) != nil {
				return
			}
		}
	}()
	frames := [][]byte{make([]byte, 100)}
	var p transport.Packet
	b.ReportAllocs()
	for b.Loop() {
		if err := to.Send(transporttest.WhisperHeader, frames); err != nil {
			b.Fatal(err)
		}
		transporttest.MustRecv(b, here, &p)
	}
	if err := to.Send(transporttest.PingHeader, nil); err != nil {
		b.Fatal(err)
	}
	<-done
}
