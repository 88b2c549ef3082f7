package zmqmsg

/*
#cgo noescape zyre_payload_send
#cgo nocallback zyre_payload_send
#cgo nocallback zyre_payload_get
#include "zmqmsg.h"
#include "payload.h"
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Payload is the content of a message in memory of libzmq's, which sends it from there to
// any number of sockets: it is copied once, when it is made.
//
// Whoever keeps a Payload has a reference to it. The memory is used again after the last
// Release, and after all that was sent has gone. A Payload that is forgotten is released
// with the next garbage collection.
type Payload struct {
	raw     *C.zyre_payload
	size    int
	refs    atomic.Int32
	cleanup runtime.Cleanup
}

// NewPayload copies data, and returns it with one reference; nil if there is no memory.
func NewPayload(data []byte) *Payload {
	raw := C.zyre_payload_get(C.size_t(len(data)))
	if raw == nil {
		return nil
	}
	p := &Payload{raw: raw, size: len(data)}
	p.refs.Store(1)
	copy(p.Bytes(), data)
	p.cleanup = runtime.AddCleanup(p, func(raw *C.zyre_payload) { C.zyre_payload_put(raw) }, raw)
	return p
}

// Bytes returns the content; valid until the last Release, and not to be changed.
func (p *Payload) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p.raw.data)), p.size)
}

// Retain adds a reference.
func (p *Payload) Retain() { p.refs.Add(1) }

// Release gives a reference back.
func (p *Payload) Release() {
	if p.refs.Add(-1) == 0 {
		p.cleanup.Stop()
		C.zyre_payload_put(p.raw)
		p.raw = nil
	}
}

// SendPayload queues a message, a header and a payload, or nothing of it.
func (s *Socket) SendPayload(header []byte, p *Payload) error {
	if s.public != nil {
		return s.public.send(header, [][]byte{p.Bytes()})
	}
	if s.raw == nil {
		return ErrSocket
	}
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(p)
	return problem(C.zyre_payload_send(s.raw, pointer(header), C.size_t(len(header)), p.raw))
}

// PayloadBytes returns how many bytes payloads have in use in this process, and how many
// wait to be used again.
func PayloadBytes() (used, pooled int) {
	var u, p C.size_t
	C.zyre_payload_bytes(&u, &p)
	return int(u), int(p)
}
