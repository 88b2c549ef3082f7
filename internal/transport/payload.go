package transport

import "github.com/go-zyre/zyre/internal/zmqmsg"

// Payload is the content of a large message, which goes to any number of peers with one
// copy: see SendShared.
type Payload = zmqmsg.Payload

// A message of this size or more costs less if it is not copied a second time.
const shareFrom = 2 << 10

// Share copies data into a Payload; nil if it is too small to be worth it, or there is no
// memory for it.
func Share(data []byte) *Payload {
	if len(data) < shareFrom {
		return nil
	}
	return zmqmsg.NewPayload(data)
}
