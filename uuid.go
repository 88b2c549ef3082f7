package zyre

import (
	"encoding/hex"
	"strings"
)

// appendIdentity adds the routing id of the node uuid to b: the byte 1, so that
// libzmq, which owns those that start with 0, accepts it, and the UUID.
func appendIdentity(b []byte, uuid [16]byte) []byte {
	return append(append(b, 1), uuid[:]...)
}

// parseIdentity returns the UUID in a routing id. It is not ok if the id is not exactly
// one byte and 16 more. The byte can be any: haskell-zre has the character '1', and
// libzyre looks only at the length.
func parseIdentity(b []byte) (uuid [16]byte, ok bool) {
	if len(b) != identitySize {
		return uuid, false
	}
	return [16]byte(b[1:]), true
}

// uuidString returns u as 32 upper-case hexadecimal digits.
func uuidString(u [16]byte) string {
	return strings.ToUpper(hex.EncodeToString(u[:]))
}

// parseUUID returns the UUID that s spells in exactly 32 hexadecimal digits of
// either case: zyre.js writes lower case.
func parseUUID(s string) (uuid [16]byte, ok bool) {
	if len(s) != 2*len(uuid) {
		return uuid, false
	}
	_, err := hex.Decode(uuid[:], []byte(s))
	if err != nil {
		return [16]byte{}, false
	}
	return uuid, true
}
