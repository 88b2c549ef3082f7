package foreign

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

const (
	beaconSize    = 22
	beaconVersion = 1
)

var beaconProtocol = []byte("ZRE")

// AppendBeacon adds the plain beacon of a node to b; port 0 says goodbye.
func AppendBeacon(b []byte, uuid [16]byte, port uint16) []byte {
	b = append(b, beaconProtocol...)
	b = append(b, beaconVersion)
	b = append(b, uuid[:]...)
	return binary.BigEndian.AppendUint16(b, port)
}

// Datagram gives the model a datagram that came to its UDP port from a host. It takes
// for a beacon what the implementation takes for one.
func (m *Model) Datagram(now time.Time, host string, datagram []byte) {
	if m.crashed || !bytes.HasPrefix(datagram, beaconProtocol) {
		return
	}
	sizes := m.traits.BeaconSizes
	if len(datagram) < beaconSize || len(sizes) > 0 && !slices.Contains(sizes, len(datagram)) {
		m.react(m.traits.BadBeacon, "a datagram that is no beacon")
		return
	}
	switch uuid, endpoint, ok := ParseBeacon(host, datagram); {
	case !ok:
	case endpoint == "":
		m.Goodbye(uuid)
	default:
		m.Beacon(now, uuid, endpoint)
	}
}

// ParseBeacon reads a plain beacon that came from a host. The endpoint is empty if it
// says goodbye. Bytes that are left over are no error.
func ParseBeacon(host string, datagram []byte) (uuid [16]byte, endpoint string, ok bool) {
	if len(datagram) < beaconSize || !bytes.HasPrefix(datagram, beaconProtocol) || datagram[3] != beaconVersion {
		return uuid, "", false
	}
	port := binary.BigEndian.Uint16(datagram[20:])
	if port != 0 {
		endpoint = "tcp://" + net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return [16]byte(datagram[4:20]), endpoint, true
}

// UUIDText is how a UUID is written in elections, by gossip and in the events of most
// implementations.
func UUIDText(uuid [16]byte) string { return fmt.Sprintf("%X", uuid[:]) }

// ParseUUID reads what UUIDText writes, in upper or lower case.
func ParseUUID(text string) (uuid [16]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(uuid) {
		return uuid, fmt.Errorf("foreign: %q is no UUID", text)
	}
	return [16]byte(b), nil
}
