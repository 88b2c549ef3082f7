package transport

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

func TestRawFromZ85(t *testing.T) {
	const text = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" // of ZeroMQ's CURVE test vectors
	if _, ok := RawFromZ85(text); !ok {
		t.Fatalf("RawFromZ85(%q) = false", text)
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
		if _, ok := RawFromZ85(s); ok {
			t.Errorf("RawFromZ85(%s) = true, want false", name)
		}
		if _, err := publicFromSecret(s); !errors.Is(err, ErrBadKey) {
			t.Errorf("publicFromSecret(%s) = %v, want %v", name, err, ErrBadKey)
		}
	}
	if raw, ok := RawFromZ85("%nSc0" + text[5:]); !ok || !bytes.HasPrefix(raw[:], []byte{255, 255, 255, 255}) {
		t.Errorf("RawFromZ85(2^32-1) = %x, %v", raw[:4], ok)
	}
}

// TestZ85_libzmq compares both directions with libzmq's own.
func TestZ85_libzmq(t *testing.T) {
	for range 50 {
		public, secret := newKeys(t)
		for _, text := range []string{public, secret} {
			raw, ok := RawFromZ85(text)
			if !ok || string(raw[:]) != zmq.Z85decode(text) {
				t.Errorf("RawFromZ85(%q) = %x, %v, want %x", text, raw, ok, zmq.Z85decode(text))
			}
			if got := Z85FromRaw(raw); got != text {
				t.Errorf("Z85FromRaw(%x) = %q, want %q", raw, got, text)
			}
		}
		if got, err := publicFromSecret(secret); got != public || err != nil {
			t.Errorf("publicFromSecret() = %q, %v, want %q", got, err, public)
		}
		if err := CheckKeyPair(public, secret); err != nil {
			t.Errorf("CheckKeyPair() = %v", err)
		}
		if err := CheckKeyPair(secret, public); err == nil {
			t.Error("CheckKeyPair() of exchanged keys = nil, want an error")
		}
	}
}

func FuzzRawFromZ85(f *testing.F) {
	f.Add("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
	f.Fuzz(func(t *testing.T, s string) {
		if raw, ok := RawFromZ85(s); ok && Z85FromRaw(raw) != s {
			t.Errorf("Z85FromRaw(RawFromZ85(%q)) = %q", s, Z85FromRaw(raw))
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
