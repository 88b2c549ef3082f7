package kit

import (
	"testing"

	zmq "github.com/pebbe/zmq4"
)

// KeyPair makes a CURVE key pair, in Z85.
func KeyPair(t testing.TB) (public, secret string) {
	t.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		t.Fatal(err)
	}
	return public, secret
}

// ZeroKeyPair makes a key pair whose public key begins with a zero byte, which libzyre
// takes for no key at all.
func ZeroKeyPair(t testing.TB) (public, secret string) {
	t.Helper()
	for {
		public, secret = KeyPair(t)
		if zmq.Z85decode(public)[0] == 0 {
			return public, secret
		}
	}
}

// RawKey returns the 32 bytes of a key.
func RawKey(key string) [32]byte { return [32]byte([]byte(zmq.Z85decode(key))) }
