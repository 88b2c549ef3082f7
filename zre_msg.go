package zyre

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"syscall"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/wire"
)

// Signature opens every ZRE frame (RFC 36): 0xAAA0 with ZRE's number, 1.
const Signature uint16 = 0xAAA0 | 1

// Version is the protocol version in every ZRE frame. RFC 43, the draft that came
// after RFC 36, says 3, but all implementations write and expect 2.
const Version byte = 2

// The ids of the ZRE commands. The first seven are RFC 36's; ELECT, LEADER and
// GOODBYE are libzyre's, and peers of other make may not know them.
const (
	HelloID   uint8 = 1  // greets a peer, first on every connection
	WhisperID uint8 = 2  // a message to one peer
	ShoutID   uint8 = 3  // a message to a group
	JoinID    uint8 = 4  // the sender joined a group
	LeaveID   uint8 = 5  // the sender left a group
	PingID    uint8 = 6  // asks a peer that is quiet for a sign of life
	PingOkID  uint8 = 7  // the answer to PING
	ElectID   uint8 = 8  // challenges for the lead of a group
	LeaderID  uint8 = 9  // announces the leader of a group
	GoodbyeID uint8 = 10 // the sender stops
)

// identitySize is the length of a node's routing id: the byte 1 and its UUID.
const identitySize = 17

var (
	errBadSignature = errors.New("not a ZRE frame")
	errBadVersion   = errors.New("not ZRE version 2")
	errUnknownID    = errors.New("unknown ZRE command")
	errMalformed    = errors.New("malformed ZRE frame")
	errNilSocket    = errors.New("socket is nil")
	errNilMessage   = errors.New("message is nil")
	errNoRouting    = errors.New("no routing id for the ROUTER socket")
)

// ZreMsg is one message of the ZRE protocol. On the wire it is a header frame and,
// for WHISPER and SHOUT, one or more content frames. The header frame is
//
//	0xAA 0xA1 | id 1 | version 1 (2) | sequence 2 | fields
//
// with numbers in network order, and these fields and content frames:
//
//	 1 HELLO    endpoint string, groups strings, status 1, name string,
//	            headers dictionary
//	 2 WHISPER                                   + content frames
//	 3 SHOUT    group string                     + content frames
//	 4 JOIN     group string, status 1
//	 5 LEAVE    group string, status 1
//	 6 PING
//	 7 PING-OK
//	 8 ELECT    group string, challenger string
//	 9 LEADER   group string, leader string
//	10 GOODBYE
//
//	string     = length 1, bytes
//	longstr    = length 4, bytes
//	strings    = count 4, longstr...
//	dictionary = count 4, (key string, value longstr)...
//
// Only the fields of the message's own command are sent and received. A ZreMsg is
// not safe for use by several goroutines while one of them changes it.
type ZreMsg struct {
	Endpoint string            // HELLO: where the sender's mailbox is, as tcp://host:port
	Groups   []string          // HELLO: the groups the sender is in, at most 255 bytes each
	Status   byte              // HELLO, JOIN, LEAVE: the sender's joins and leaves, modulo 256
	Name     string            // HELLO: the sender's name, at most 255 bytes
	Headers  map[string]string // HELLO: the sender's headers, keys of at most 255 bytes
	Content  []byte            // WHISPER, SHOUT: the first content frame
	Group    string            // SHOUT, JOIN, LEAVE, ELECT, LEADER: at most 255 bytes

	// Frames are all content frames of a WHISPER or SHOUT: nil if it came with
	// none, otherwise Frames[0] is Content. When sent, Frames go out if there are
	// any and Content is ignored; without Frames, Content is the only frame.
	Frames [][]byte

	id        uint8
	sequence  uint16
	routing   []byte // routing id of the sender, from and for a ROUTER
	candidate string // ELECT: the challenger; LEADER: the leader; 32 hexadecimal digits
}

// NewZreMsg returns an empty message with the command id, one of HelloID to
// GoodbyeID. With another id it can be made, but not sent. Headers is ready for
// use in a HELLO.
func NewZreMsg(id uint8) *ZreMsg {
	m := &ZreMsg{id: id}
	if id == HelloID {
		m.Headers = make(map[string]string)
	}
	return m
}

// Recv reads one message from socket, waiting for it as long as the socket's
// receive timeout says. From a ROUTER the routing id comes first and is kept, so
// that a received message can be sent back. Every frame of the message is read in
// any case, so after a message that is not proper ZRE the next Recv starts at the
// next message. Frames that do not belong to the command are dropped.
//
// An error tells either that the socket failed (it is nil, closed, or zmq4's error
// is in the chain) or that the message was not proper ZRE. Recv uses the socket,
// so it belongs to the goroutine that owns the socket.
func Recv(socket *zmq.Socket) (*ZreMsg, error) {
	m, err := recvMsg(socket)
	if err != nil {
		return nil, fmt.Errorf("zyre: receive message: %w", err)
	}
	return m, nil
}

func recvMsg(socket *zmq.Socket) (*ZreMsg, error) {
	if socket == nil {
		return nil, errNilSocket
	}
	kind, err := socket.GetType()
	if err != nil {
		return nil, err
	}
	frame, more, err := recvFrame(socket)
	if err != nil {
		return nil, err
	}
	var routing []byte
	if kind == zmq.ROUTER {
		if routing = frame; !more {
			return nil, errMalformed
		}
		if frame, more, err = recvFrame(socket); err != nil {
			return nil, err
		}
	}
	var v zreView
	bad := v.parse(frame)
	keep := bad == nil && (v.id == WhisperID || v.id == ShoutID)
	var frames [][]byte
	for more {
		if frame, more, err = recvFrame(socket); err != nil {
			return nil, err
		}
		if keep {
			frames = append(frames, frame)
		}
	}
	if bad != nil {
		return nil, bad
	}
	m := v.message()
	m.routing, m.Frames = routing, frames
	if len(frames) > 0 {
		m.Content = frames[0]
	}
	return m, nil
}

// recvFrame reads one frame and tells if more of the same message follow. A signal
// must not end it: half a message read puts the socket out of step.
func recvFrame(socket *zmq.Socket) (frame []byte, more bool, err error) {
	for {
		frame, err = socket.RecvBytes(0)
		if !errors.Is(err, zmq.Errno(syscall.EINTR)) {
			break
		}
	}
	if err != nil {
		return nil, false, err
	}
	more, err = socket.GetRcvmore()
	return frame, more, err
}

// Send writes msg to socket, waiting for room as long as the socket's send timeout
// says. To a ROUTER the routing id that msg was received with goes first. A WHISPER
// or SHOUT has at least one content frame, an empty one if it was given none:
// libzyre loses its footing without. A message that cannot be encoded, because a
// string is too long or its id is unknown, is an error before anything is sent.
//
// Send never changes msg, its sequence number included. It uses the socket, so it
// belongs to the goroutine that owns the socket.
func Send(socket *zmq.Socket, msg *ZreMsg) error {
	if err := sendMsg(socket, msg); err != nil {
		return fmt.Errorf("zyre: send message: %w", err)
	}
	return nil
}

func sendMsg(socket *zmq.Socket, m *ZreMsg) error {
	if socket == nil {
		return errNilSocket
	}
	if m == nil {
		return errNilMessage
	}
	header, err := m.append(nil)
	if err != nil {
		return err
	}
	kind, err := socket.GetType()
	if err != nil {
		return err
	}
	var frames [][]byte
	if kind == zmq.ROUTER {
		if len(m.routing) == 0 {
			return errNoRouting
		}
		frames = append(frames, m.routing)
	}
	frames = append(append(frames, header), m.content()...)
	for i, frame := range frames {
		if err := sendFrame(socket, frame, i < len(frames)-1); err != nil {
			return err
		}
	}
	return nil
}

// sendFrame writes one frame. A signal must not end it: half a message written
// would swallow the next one.
func sendFrame(socket *zmq.Socket, frame []byte, more bool) error {
	var flags zmq.Flag
	if more {
		flags = zmq.SNDMORE
	}
	for {
		_, err := socket.SendBytes(frame, flags)
		if !errors.Is(err, zmq.Errno(syscall.EINTR)) {
			return err
		}
	}
}

// content returns the content frames that m is sent with: at least one for a
// WHISPER or SHOUT, none for the others.
func (m *ZreMsg) content() [][]byte {
	switch {
	case m.id != WhisperID && m.id != ShoutID:
		return nil
	case len(m.Frames) > 0:
		return m.Frames
	}
	return [][]byte{m.Content}
}

// append adds m's header frame to b. After an error b is as it was.
func (m *ZreMsg) append(b []byte) ([]byte, error) {
	a := wire.NewAppender(appendPlain(b, m.id, m.sequence))
	switch m.id {
	case HelloID:
		m.appendHello(&a)
	case WhisperID, PingID, PingOkID, GoodbyeID:
	case ShoutID:
		a.String(m.Group)
	case JoinID, LeaveID:
		a.String(m.Group)
		a.Uint8(m.Status)
	case ElectID, LeaderID:
		a.String(m.Group)
		a.String(m.candidate)
	default:
		return b, fmt.Errorf("%w %d", errUnknownID, m.id)
	}
	frame, err := a.Bytes()
	if err != nil {
		return b, fmt.Errorf("encode command %d: %w", m.id, err)
	}
	return frame, nil
}

// appendHello adds the fields of a HELLO, headers sorted by key so that equal
// messages are equal frames.
func (m *ZreMsg) appendHello(a *wire.Appender) {
	a.String(m.Endpoint)
	a.Count(len(m.Groups))
	for _, group := range m.Groups {
		a.Limit(len(group), wire.MaxString) // JOIN and SHOUT hold no longer one
		a.Longstr(group)
	}
	a.Uint8(m.Status)
	a.String(m.Name)
	a.Count(len(m.Headers))
	var few [16]string // spares the usual node an allocation
	keys := few[:0]
	for key := range m.Headers {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		a.String(key)
		a.Longstr(m.Headers[key])
	}
}

// appendPlain adds a header frame without fields: all of a WHISPER, PING, PING-OK
// or GOODBYE.
func appendPlain(b []byte, id uint8, sequence uint16) []byte {
	return append(b, byte(Signature>>8), byte(Signature&0xFF), id, Version,
		byte(sequence>>8), byte(sequence))
}

// putSequence changes the sequence number of an encoded header frame, so that a
// SHOUT is encoded once for all its receivers. A frame without room is left alone.
func putSequence(frame []byte, sequence uint16) {
	if len(frame) >= 6 {
		frame[4], frame[5] = byte(sequence>>8), byte(sequence)
	}
}

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
	headerCount int
	headerDict  []byte // headerCount times string and longstr, checked by parse
}

// parse sets v to what frame holds, or returns
//
//   - errBadSignature if it is no ZRE frame,
//   - errBadVersion if it is of another version; id is set,
//   - errUnknownID if the command is none of ours; id and sequence are set, for
//     the message still counts in the sender's sequence,
//   - errMalformed if it is cut short, or a length or count exceeds the frame; id
//     and sequence are set if they were there.
//
// All else is checked too, so that reading the groups and headers cannot fail. As in
// libzyre, bytes after the last field are ignored. parse does not allocate.
func (v *zreView) parse(frame []byte) error {
	*v = zreView{}
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
		c.Longstr()
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

// appendIdentity adds the routing id of the node uuid to b: the byte 1, so that
// libzmq, which owns those that start with 0, accepts it, and the UUID.
func appendIdentity(b []byte, uuid [16]byte) []byte {
	return append(append(b, 1), uuid[:]...)
}

// parseIdentity returns the UUID in a routing id. It is not ok if the id is not
// exactly the byte 1 and 16 more.
func parseIdentity(b []byte) (uuid [16]byte, ok bool) {
	if len(b) != identitySize || b[0] != 1 {
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
