package zyre

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/go-zyre/zyre/internal/wire"
)

// A question for a node's view, and the answer, each the one frame of a WHISPER. Numbers
// are in network order; a string is one byte of length and as many bytes.
//
//	question   viewMagic  1  nonce[8]
//	answer     viewMagic  2  nonce[8]  peers:4 half-open:4 groups:4
//	           received:8 sent:8 gaps:8 pauses:8 waits:8 unsent:8  listed:4  peer…
//	peer       uuid[16]  flags:1  rtt:4 (µs)  idle:4 (ms)  received:8 sent:8 waiting:4
//	           name:string  endpoint:string
//
// Flags are 1 for evasive and 2 for silent. Peers are in the order of their UUIDs. The
// first byte of the magic is 0, so that no text looks like it.
const (
	viewMagic    = "\x00ZYRE-VIEW1"
	viewQuestion = 1
	viewAnswer   = 2

	viewHeadSize = len(viewMagic) + 1 + 8
	viewPeerSize = 16 + 1 + 4 + 4 + 8 + 8 + 4 + 1 + 1 // with empty strings

	viewEvasive = 1
	viewSilent  = 2
)

// maxViewBytes is the size of an answer at most; peers that do not fit are left out.
const maxViewBytes = 128 << 10

var errBadView = errors.New("malformed view")

func appendViewHead(b []byte, kind byte, nonce [8]byte) []byte {
	return append(append(append(b, viewMagic...), kind), nonce[:]...)
}

// parseViewHead returns what a frame is, and is not ok for one that is neither question
// nor answer. The body is a part of the frame.
func parseViewHead(frame []byte) (kind byte, nonce [8]byte, body []byte, ok bool) {
	if len(frame) < viewHeadSize || string(frame[:len(viewMagic)]) != viewMagic {
		return 0, nonce, nil, false
	}
	kind = frame[len(viewMagic)]
	copy(nonce[:], frame[len(viewMagic)+1:])
	return kind, nonce, frame[viewHeadSize:], kind == viewQuestion || kind == viewAnswer
}

// appendView adds a view to a frame, and leaves out peers that do not fit.
func appendView(b []byte, v *View) []byte {
	for _, n := range []int{v.Peers, v.HalfOpen, v.Groups} {
		b = binary.BigEndian.AppendUint32(b, clampUint32(int64(n)))
	}
	for _, n := range []uint64{v.Received, v.Sent, v.Gaps, v.Pauses, v.Waits, v.Unsent} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	at, listed := len(b), uint32(0)
	b = binary.BigEndian.AppendUint32(b, 0)
	for i := range v.PeerList {
		p := &v.PeerList[i]
		name, endpoint := p.Name[:min(len(p.Name), maxString)], p.Endpoint[:min(len(p.Endpoint), maxString)]
		if len(b)+viewPeerSize+len(name)+len(endpoint) > maxViewBytes {
			break
		}
		uuid, _ := parseUUID(p.UUID)
		b = append(b, uuid[:]...)
		b = append(b, viewFlags(p))
		b = binary.BigEndian.AppendUint32(b, clampUint32(p.RTT.Microseconds()))
		b = binary.BigEndian.AppendUint32(b, clampUint32(p.Idle.Milliseconds()))
		b = binary.BigEndian.AppendUint64(b, p.Received)
		b = binary.BigEndian.AppendUint64(b, p.Sent)
		b = binary.BigEndian.AppendUint32(b, clampUint32(int64(p.Waiting)))
		b = append(append(b, byte(len(name))), name...)
		b = append(append(b, byte(len(endpoint))), endpoint...)
		listed++
	}
	binary.BigEndian.PutUint32(b[at:], listed)
	return b
}

func viewFlags(p *ViewPeer) (flags byte) {
	if p.Evasive {
		flags |= viewEvasive
	}
	if p.Silent {
		flags |= viewSilent
	}
	return flags
}

func clampUint32(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

// parseView returns the view in the body of an answer. Whatever is not exactly as
// appendView writes it is an error.
func parseView(body []byte) (View, error) {
	if len(body) > maxViewBytes {
		return View{}, errBadView
	}
	c := wire.NewCursor(body)
	v := View{Peers: int(c.Uint32()), HalfOpen: int(c.Uint32()), Groups: int(c.Uint32())}
	for _, n := range []*uint64{&v.Received, &v.Sent, &v.Gaps, &v.Pauses, &v.Waits, &v.Unsent} {
		*n = uint64Of(&c)
	}
	listed := c.Count(uint32(viewPeerSize))
	if c.Err() != nil || listed > v.Peers {
		return View{}, errBadView
	}
	before := ""
	for range listed {
		p, ok := parseViewPeer(&c)
		if !ok || p.UUID <= before {
			return View{}, errBadView
		}
		before = p.UUID
		v.PeerList = append(v.PeerList, p)
	}
	if len(c.Rest()) > 0 {
		return View{}, errBadView
	}
	return v, nil
}

func parseViewPeer(c *wire.Cursor) (p ViewPeer, ok bool) {
	uuid, flags := c.Bytes(16), c.Uint8()
	p = ViewPeer{
		RTT: time.Duration(c.Uint32()) * time.Microsecond, Idle: time.Duration(c.Uint32()) * time.Millisecond,
		Received: uint64Of(c), Sent: uint64Of(c), Waiting: int(c.Uint32()),
		Evasive: flags&viewEvasive != 0, Silent: flags&viewSilent != 0,
	}
	p.Name, p.Endpoint = string(c.String()), string(c.String())
	if c.Err() != nil || flags&^(viewEvasive|viewSilent) != 0 {
		return p, false
	}
	p.UUID = uuidString([16]byte(uuid))
	return p, true
}

// uint64Of reads eight bytes.
func uint64Of(c *wire.Cursor) uint64 {
	high := uint64(c.Uint32())
	return high<<32 | uint64(c.Uint32())
}
