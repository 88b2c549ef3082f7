package zyre

import (
	"iter"

	"github.com/go-zyre/zyre/internal/wire"
)

// zreView is a parsed header frame that borrows its strings from the frame: it is
// valid as long as the frame is. Fields that the command does not have are zero.
type zreView struct {
	id                    uint8
	sequence              uint16
	status                byte
	endpoint, name, group []byte
	candidate             []byte // challenger of an ELECT, leader of a LEADER

	groupCount  int
	groupList   []byte // groupCount times longstr, checked by parse
	longGroup   bool   // one of them has a longer name than JOIN can carry
	headerCount int
	headerDict  []byte // headerCount times string and longstr, checked by parse
}

// parse sets v to what frame holds, or returns
//
//   - errBadSignature if it is no ZRE frame,
//   - errBadVersion if it is of another version; id is set,
//   - errTooLarge if it has more than maxPeerBytes; nothing is set,
//   - errUnknownID if the command is none of ours; id and sequence are set, for
//     the message still counts in the sender's sequence,
//   - errMalformed if it is cut short, or a length or count exceeds the frame; id
//     and sequence are set if they were there.
//
// All else is checked too, so that reading the groups and headers cannot fail. As in
// libzyre, bytes after the last field are ignored. parse does not allocate.
func (v *zreView) parse(frame []byte) error {
	*v = zreView{}
	if len(frame) > maxPeerBytes {
		return errTooLarge
	}
	c := wire.NewCursor(frame)
	if c.Uint16() != Signature {
		return errBadSignature
	}
	v.id = c.Uint8()
	version := c.Uint8()
	if c.Err() == nil && version != Version {
		return errBadVersion
	}
	v.sequence = c.Uint16()
	if c.Err() != nil {
		return errMalformed
	}
	switch v.id {
	case HelloID:
		v.parseHello(&c)
	case WhisperID, PingID, PingOkID, GoodbyeID:
	case ShoutID:
		v.group = c.String()
	case JoinID, LeaveID:
		v.group = c.String()
		v.status = c.Uint8()
	case ElectID, LeaderID:
		v.group = c.String()
		v.candidate = c.String()
	default:
		return errUnknownID
	}
	if c.Err() != nil {
		*v = zreView{id: v.id, sequence: v.sequence}
		return errMalformed
	}
	return nil
}

// parseHello reads the fields of a HELLO, walking its groups and headers to the end.
func (v *zreView) parseHello(c *wire.Cursor) {
	v.endpoint = c.String()
	v.groupCount = c.Count(4) // an empty longstr is 4 bytes
	start := c.Rest()
	for range v.groupCount {
		if len(c.Longstr()) > maxString {
			v.longGroup = true
		}
	}
	v.groupList = c.Since(start)
	v.status = c.Uint8()
	v.name = c.String()
	v.headerCount = c.Count(5) // an empty string and an empty longstr are 5 bytes
	start = c.Rest()
	for range v.headerCount {
		c.String()
		c.Longstr()
	}
	v.headerDict = c.Since(start)
}

// groups goes through the groups of a HELLO as they are on the wire: repeated ones
// too, which zyre.js sends. The names are borrowed.
func (v *zreView) groups() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := wire.NewCursor(v.groupList)
		for range v.groupCount {
			if !yield(c.Longstr()) {
				return
			}
		}
	}
}

// headers goes through the headers of a HELLO as they are on the wire: repeated
// keys too. Keys and values are borrowed.
func (v *zreView) headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		c := wire.NewCursor(v.headerDict)
		for range v.headerCount {
			key := c.String()
			if !yield(key, c.Longstr()) {
				return
			}
		}
	}
}

// groupNames returns copies of the groups of a HELLO, nil if there are none.
func (v *zreView) groupNames() []string {
	if v.groupCount == 0 {
		return nil
	}
	names := make([]string, 0, v.groupCount) // parse compared the count with the frame
	for group := range v.groups() {
		names = append(names, string(group))
	}
	return names
}

// headerMap returns copies of the headers of a HELLO, never nil. If a key is
// repeated, its last value holds.
func (v *zreView) headerMap() map[string]string {
	headers := make(map[string]string, min(v.headerCount, 64)) // the keys may all be one
	for key, value := range v.headers() {
		headers[string(key)] = string(value)
	}
	return headers
}

// message returns a ZreMsg with copies of what v borrows.
func (v *zreView) message() *ZreMsg {
	m := &ZreMsg{
		id: v.id, sequence: v.sequence, Status: v.status,
		Endpoint: string(v.endpoint), Name: string(v.name),
		Group: string(v.group), candidate: string(v.candidate),
	}
	if v.id == HelloID {
		m.Groups, m.Headers = v.groupNames(), v.headerMap()
	}
	return m
}

// header returns a copy of the value of a header of a HELLO, "" if it has none. If the
// key is repeated, its last value holds.
func (v *zreView) header(name string) (result string) {
	for key, value := range v.headers() {
		if string(key) == name {
			result = string(value)
		}
	}
	return result
}
