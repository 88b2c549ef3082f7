package zyre

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-zyre/zyre/internal/transport"
)

const (
	beaconVersion       = 1 // plain
	beaconVersionSecure = 3 // with CURVE; RFC 43's drawing says 1, its text and libzyre 3

	beaconSize       = 22
	beaconSizeSecure = beaconSize + 32
)

// beaconProtocol opens every beacon.
var beaconProtocol = [3]byte{'Z', 'R', 'E'}

// errNotBeacon says that a datagram is no beacon of a form we know.
var errNotBeacon = errors.New("not a ZRE beacon")

// BeaconMsg is the discovery beacon that a node broadcasts (RFC 36). On the wire
// it is one UDP datagram of 22 bytes, or of 54 bytes with CURVE:
//
//	offset  0  'Z' 'R' 'E'
//	        3  version: 1 plain, 3 with CURVE
//	        4  UUID, 16 bytes
//	       20  port, 2 bytes in network order
//	       22  CURVE public key, 32 bytes, only in version 3
//
// It is for programs that speak ZRE by themselves.
type BeaconMsg struct {
	Protocol [3]byte // always "ZRE"
	Version  byte    // 1 plain, 3 with CURVE
	UUID     []byte  // of the node, 16 bytes
	Port     uint16  // TCP port of the node's mailbox, 0 when it says goodbye

	key    [32]byte // CURVE public key, raw
	hasKey bool
}

// newBeaconMsg returns the plain beacon of a node.
func newBeaconMsg(uuid [16]byte, port uint16) *BeaconMsg {
	return &BeaconMsg{Protocol: beaconProtocol, Version: beaconVersion, UUID: uuid[:], Port: port}
}

// newSecureBeaconMsg returns the beacon of a node with a CURVE public key.
func newSecureBeaconMsg(uuid [16]byte, port uint16, key [32]byte) *BeaconMsg {
	m := newBeaconMsg(uuid, port)
	m.Version, m.key, m.hasKey = beaconVersionSecure, key, true
	return m
}

// append adds the datagram to b. It is an error, and b as it was, if the message
// is of neither form: nobody could read what would be sent.
func (m *BeaconMsg) append(b []byte) ([]byte, error) {
	secure := m.Version == beaconVersionSecure && m.hasKey
	plain := m.Version == beaconVersion && !m.hasKey
	switch {
	case m.Protocol != beaconProtocol:
		return b, fmt.Errorf("zyre: encode beacon: protocol is %q, want ZRE", m.Protocol[:])
	case !secure && !plain:
		return b, fmt.Errorf("zyre: encode beacon: version %d, key %t", m.Version, m.hasKey)
	case len(m.UUID) != 16:
		return b, fmt.Errorf("zyre: encode beacon: UUID of %d bytes, want 16", len(m.UUID))
	}
	b = append(b, m.Protocol[:]...)
	b = append(b, m.Version)
	b = append(b, m.UUID...)
	b = binary.BigEndian.AppendUint16(b, m.Port)
	if secure {
		b = append(b, m.key[:]...)
	}
	return b, nil
}

// beaconDatagram encodes the beacon of a node; port 0 is its goodbye, and a public key, in
// Z85, makes it that of a secure node.
func beaconDatagram(uuid [16]byte, port uint16, publicKey string) []byte {
	msg := newBeaconMsg(uuid, port)
	if raw, ok := transport.RawFromZ85(publicKey); ok {
		msg = newSecureBeaconMsg(uuid, port, raw)
	}
	b, _ := msg.append(nil) // both are of a form that can be encoded
	return b
}

// beaconView is a parsed beacon. It borrows nothing.
type beaconView struct {
	uuid   [16]byte
	port   uint16   // 0 is goodbye
	key    [32]byte // CURVE public key, raw, if secure
	secure bool     // version 3
}

// parseBeacon returns the beacon in a datagram. The error is errNotBeacon unless
// prefix, version and size all belong to the same form. It does not allocate.
func parseBeacon(b []byte) (beaconView, error) {
	if len(b) < beaconSize || [3]byte(b) != beaconProtocol {
		return beaconView{}, errNotBeacon
	}
	v := beaconView{uuid: [16]byte(b[4:]), port: binary.BigEndian.Uint16(b[20:])}
	switch {
	case b[3] == beaconVersion && len(b) == beaconSize:
	case b[3] == beaconVersionSecure && len(b) == beaconSizeSecure:
		v.key, v.secure = [32]byte(b[beaconSize:]), true
	default:
		return beaconView{}, errNotBeacon
	}
	return v, nil
}
