package zyre

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

func TestRawFromZ85(t *testing.T) {
	const text = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" // of ZeroMQ's CURVE test vectors
	if _, ok := rawFromZ85(text); !ok {
		t.Fatalf("rawFromZ85(%q) = false", text)
	}
	bad := map[string]string{
		"empty":         "",
		"short":         text[:39],
		"long":          text + "0",
		"hostile size":  strings.Repeat("0", 1<<16),
		"space":         " " + text[1:],
		"NUL":           text[:39] + "\x00",
		"high byte":     text[:39] + "\xff",
		"bar":           "|" + text[1:],
		"above 2^32":    "%nSc1" + text[5:],
		"largest digit": strings.Repeat("#", 40),
	}
	for name, s := range bad {
		if _, ok := rawFromZ85(s); ok {
			t.Errorf("rawFromZ85(%s) = true, want false", name)
		}
		if _, err := publicFromSecret(s); !errors.Is(err, errBadKey) {
			t.Errorf("publicFromSecret(%s) = %v, want %v", name, err, errBadKey)
		}
	}
	if raw, ok := rawFromZ85("%nSc0" + text[5:]); !ok || !bytes.HasPrefix(raw[:], []byte{255, 255, 255, 255}) {
		t.Errorf("rawFromZ85(2^32-1) = %x, %v", raw[:4], ok)
	}
}

// TestZ85_libzmq compares both directions with libzmq's own.
func TestZ85_libzmq(t *testing.T) {
	for range 50 {
		public, secret := newKeys(t)
		for _, text := range []string{public, secret} {
			raw, ok := rawFromZ85(text)
			if !ok || string(raw[:]) != zmq.Z85decode(text) {
				t.Errorf("rawFromZ85(%q) = %x, %v, want %x", text, raw, ok, zmq.Z85decode(text))
			}
			if got := z85FromRaw(raw); got != text {
				t.Errorf("z85FromRaw(%x) = %q, want %q", raw, got, text)
			}
		}
		if got, err := publicFromSecret(secret); got != public || err != nil {
			t.Errorf("publicFromSecret() = %q, %v, want %q", got, err, public)
		}
		if err := checkKeyPair(public, secret); err != nil {
			t.Errorf("checkKeyPair() = %v", err)
		}
		if err := checkKeyPair(secret, public); err == nil {
			t.Error("checkKeyPair() of exchanged keys = nil, want an error")
		}
	}
}

func FuzzRawFromZ85(f *testing.F) {
	f.Add("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
	f.Fuzz(func(t *testing.T, s string) {
		if raw, ok := rawFromZ85(s); ok && z85FromRaw(raw) != s {
			t.Errorf("z85FromRaw(rawFromZ85(%q)) = %q", s, z85FromRaw(raw))
		}
	})
}

func newKeys(tb testing.TB) (public, secret string) {
	tb.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		tb.Skip("libzmq without CURVE: ", err)
	}
	return public, secret
}
