package transport

import (
	"errors"
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		in   string
		addr string // of a tcp endpoint
		err  error
	}{
		{in: "tcp://127.0.0.1:5670", addr: "127.0.0.1:5670"},
		{in: "tcp://127.0.0.1:1", addr: "127.0.0.1:1"},
		{in: "tcp://127.0.0.1:65535", addr: "127.0.0.1:65535"},
		{in: "tcp://[::1]:80", addr: "[::1]:80"},
		{in: "tcp://[fe80::1%eth0]:80", addr: "[fe80::1%eth0]:80"},
		{in: "tcp://[fe80::1%3]:80", addr: "[fe80::1%3]:80"},
		{in: "ipc:///tmp/a.sock"}, {in: "ipc://@abstract"}, {in: "inproc://name"},

		{in: "tcp://eth0:80", err: ErrNeedsLookup},
		{in: "tcp://localhost:80", err: ErrNeedsLookup},
		{in: "tcp://example.com.:80", err: ErrNeedsLookup},
		{in: "tcp://a_b-c.lan:80", err: ErrNeedsLookup},
		{in: "tcp://möwe:80", err: ErrNeedsLookup},
		{in: "tcp://9to5.org:80", err: ErrNeedsLookup},
		{in: "tcp://3f2a9c1b7d4e:80", err: ErrNeedsLookup},
		{in: "tcp://hub.1a:80", err: ErrNeedsLookup},

		{in: "", err: ErrBadEndpoint},
		{in: "garbage", err: ErrBadEndpoint},
		{in: "://", err: ErrBadEndpoint},
		{in: "tcp", err: ErrBadEndpoint},
		{in: "tcp:", err: ErrBadEndpoint},
		{in: "tcp://", err: ErrBadEndpoint},
		{in: "tcp://:", err: ErrBadEndpoint},
		{in: "tcp://:0", err: ErrBadEndpoint},
		{in: "tcp://:80", err: ErrBadEndpoint},
		{in: "tcp://*:80", err: ErrBadEndpoint},
		{in: "tcp://*:*", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:*", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:0", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:-1", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:+1", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:0x50", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:65536", err: ErrBadEndpoint},
		{in: "tcp://1.2.3.4:99999", err: ErrBadEndpoint},
		{in: "tcp://1.2.3.4:99999999999999999999", err: ErrBadEndpoint},
		{in: "tcp://1.2.3:80", err: ErrBadEndpoint},
		{in: "tcp://0x7f.1:80", err: ErrBadEndpoint},
		{in: "tcp://1.0x7f:80", err: ErrBadEndpoint},
		{in: "tcp://256.1.1.1:80", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1;127.0.0.1:80", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:1;127.0.0.1:80", err: ErrBadEndpoint},
		{in: "tcp://[127.0.0.1]:80", err: ErrBadEndpoint},
		{in: "tcp://::1:80", err: ErrBadEndpoint},
		{in: "tcp://[::1:80", err: ErrBadEndpoint},
		{in: "tcp://[]:80", err: ErrBadEndpoint},
		{in: "tcp://[:80", err: ErrBadEndpoint},
		{in: "tcp://[::1%]:80", err: ErrBadEndpoint},
		{in: "tcp://[fe80::1%" + strings.Repeat("x", 16) + "]:80", err: ErrBadEndpoint},
		{in: "tcp://224.0.0.1:80", err: ErrBadEndpoint},
		{in: "tcp://255.255.255.255:80", err: ErrBadEndpoint},
		{in: "tcp://[ff02::1%eth0]:80", err: ErrBadEndpoint},
		{in: "tcp://a b:80", err: ErrBadEndpoint},
		{in: "tcp://a..b:80", err: ErrBadEndpoint},
		{in: "tcp://-a:80", err: ErrBadEndpoint},
		{in: "tcp://a/b:80", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:80\x00", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1\x00:80", err: ErrBadEndpoint},
		{in: "tcp://127.0.0.1:80\n", err: ErrBadEndpoint},
		{in: "TCP://127.0.0.1:80", err: ErrBadEndpoint},
		{in: "udp://127.0.0.1:80", err: ErrBadEndpoint},
		{in: "pgm://127.0.0.1:80", err: ErrBadEndpoint},
		{in: "ipc://", err: ErrBadEndpoint},
		{in: "ipc://*", err: ErrBadEndpoint},
		{in: "ipc:///tmp/\x00a", err: ErrBadEndpoint},
		{in: "inproc://", err: ErrBadEndpoint},
		{in: strings.Repeat("x", 255), err: ErrBadEndpoint},
		{in: "tcp://" + strings.Repeat("x", 246) + ":80", err: ErrBadEndpoint},
		{in: "inproc://" + strings.Repeat("x", 255), err: ErrBadEndpoint},
	}
	for _, test := range tests {
		addr, err := ParseEndpoint(test.in)
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("ParseEndpoint(%q) = %v, want %v", test.in, err, test.err)
			continue
		}
		got := ""
		if addr.IsValid() {
			got = addr.String()
		}
		if got != test.addr {
			t.Errorf("ParseEndpoint(%q) = %q, want %q", test.in, got, test.addr)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"tcp://[fe80::1%eth0]:80", "tcp://a.b:1", "ipc://x", "tcp://:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := ParseEndpoint(s)
		if err == nil && strings.HasPrefix(s, "tcp://") && (!addr.IsValid() || addr.Port() == 0) {
			t.Errorf("ParseEndpoint(%q) = %v, want a full address", s, addr)
		}
	})
}
