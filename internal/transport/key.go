package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	zmq "github.com/pebbe/zmq4"
)

// ErrBadKey says that a text is not a CURVE key: 40 characters of Z85 (ZeroMQ
// RFC 32) that stand for 32 bytes.
var ErrBadKey = errors.New("zyre: not a CURVE key in Z85")

const z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyz" +
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// Z85FromRaw returns the text form of a key: 5 characters for each 4 bytes.
func Z85FromRaw(raw [32]byte) string {
	var text [40]byte
	for i := range 8 {
		v := binary.BigEndian.Uint32(raw[4*i:])
		for j := 4; j >= 0; j-- {
			text[5*i+j] = z85Alphabet[v%85]
			v /= 85
		}
	}
	return string(text[:])
}

// RawFromZ85 returns the 32 bytes that text stands for; ok is false if text is
// not the Z85 form of a key. text may come from the network.
func RawFromZ85(text string) (raw [32]byte, ok bool) {
	if len(text) != 40 {
		return [32]byte{}, false
	}
	for i := range 8 {
		var v uint64
		for j := range 5 {
			digit := strings.IndexByte(z85Alphabet, text[5*i+j])
			if digit < 0 {
				return [32]byte{}, false
			}
			v = v*85 + uint64(digit)
		}
		if v > 0xffff_ffff { // 85⁵ is a little more than 2³²
			return [32]byte{}, false
		}
		binary.BigEndian.PutUint32(raw[4*i:], uint32(v))
	}
	return raw, true
}

// publicFromSecret returns the public key, in Z85, that belongs to a secret one.
func publicFromSecret(secretKey string) (string, error) {
	if _, ok := RawFromZ85(secretKey); !ok {
		return "", ErrBadKey // never the key itself: it is a secret
	}
	public, err := zmq.AuthCurvePublic(secretKey)
	if err != nil {
		return "", fmt.Errorf("zyre: public key: %w", err)
	}
	return public, nil
}

// CheckKeyPair returns an error unless the two keys belong together. The error shows
// neither of them: they may be swapped.
func CheckKeyPair(publicKey, secretKey string) error {
	if _, ok := RawFromZ85(publicKey); !ok {
		return fmt.Errorf("%w: public key", ErrBadKey)
	}
	public, err := publicFromSecret(secretKey)
	if err != nil {
		return err
	}
	if public != publicKey {
		return errors.New("zyre: the public key does not belong to the secret key")
	}
	return nil
}

// NewKeyPair makes a pair of CURVE keys, in Z85. It returns an error if libzmq was built
// without CURVE.
func NewKeyPair() (publicKey, secretKey string, err error) {
	publicKey, secretKey, err = zmq.NewCurveKeypair()
	if err != nil {
		return "", "", fmt.Errorf("zyre: new CURVE keys (is libzmq built with CURVE?): %w", err)
	}
	return publicKey, secretKey, nil
}
