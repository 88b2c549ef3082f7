package zyre

import "maps"

// peerEvent makes an event about p.
func peerEvent(kind string, p *peer) *Event {
	return &Event{Type: kind, PeerUUID: p.id, PeerName: p.name, PeerAddr: p.endpoint}
}

// exitEvent makes p's EXIT.
func exitEvent(p *peer, reason string) *Event {
	e := peerEvent(EventExit, p)
	e.Reason = reason
	return e
}

// enterEvent makes p's ENTER, with a copy of its headers.
func enterEvent(p *peer) *Event {
	e := peerEvent(EventEnter, p)
	e.Headers = maps.Clone(p.headers)
	return e
}

// messageEvent makes a WHISPER, or with a group a SHOUT, that takes over the payloads.
// No frames at all count as one empty frame.
func messageEvent(kind string, p *peer, group string, frames [][]byte) *Event {
	e := peerEvent(kind, p)
	e.Group = group
	if len(frames) > 1 {
		e.Frames = append(make([][]byte, 0, len(frames)), frames...) // frames is reused
	} else {
		e.single[0] = []byte{}
		copy(e.single[:], frames)
		e.Frames = e.single[:]
	}
	e.Msg = e.Frames[0]
	return e
}
