package kit

import (
	"fmt"
	"strconv"
)

// NumberedPayload makes the i-th message of a stream, of the given size.
func NumberedPayload(i, size int) []byte {
	msg := fmt.Appendf(make([]byte, 0, size), "%010d", i)
	return msg[:max(size, len(msg))]
}

// Number returns the number of a message made by NumberedPayload, or -1.
func Number(msg []byte) int {
	if len(msg) < 10 {
		return -1
	}
	if i, err := strconv.Atoi(string(msg[:10])); err == nil {
		return i
	}
	return -1
}
