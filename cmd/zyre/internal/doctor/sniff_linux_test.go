package doctor

import (
	"bytes"
	"net/netip"
	"testing"
)

// packet is one of IPv4 and UDP, with options of the IP header.
func packet(options int, port uint16, datagram []byte) []byte {
	b := make([]byte, ipHeader+options+udpHeader)
	b[0], b[9] = byte(4<<4|(ipHeader+options)/4), protoUDP
	copy(b[12:], []byte{10, 0, 0, 9})
	udp := b[ipHeader+options:]
	udp[2], udp[3] = byte(port>>8), byte(port)
	length := udpHeader + len(datagram)
	udp[4], udp[5] = byte(length>>8), byte(length)
	return append(b, datagram...)
}

func TestParsePacket(t *testing.T) {
	content := beacon(versionPlain, 1, 9)
	for _, options := range []int{0, 8} {
		whole := packet(options, 5671, content)
		got, from, port, ok := parsePacket(append(whole, 0, 0)) // Ethernet fills short packets
		if !ok || !bytes.Equal(got, content) || from != netip.MustParseAddr("10.0.0.9") || port != 5671 {
			t.Errorf("parsePacket() = %x, %v, %d, %t, want the beacon", got, from, port, ok)
		}
		for size := range whole {
			if _, _, _, ok := parsePacket(whole[:size]); ok {
				t.Errorf("parsePacket() takes %d of %d bytes", size, len(whole))
			}
		}
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add(packet(4, 5670, beacon(versionSecure, 1, 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if datagram, _, port, ok := parsePacket(b); ok && (len(datagram) > len(b) || port < 0 || port > 65535) {
			t.Errorf("parsePacket(%x) = %x, %d", b, datagram, port)
		}
	})
}
