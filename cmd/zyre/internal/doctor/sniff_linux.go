package doctor

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The headers of IPv4 and UDP.
const (
	ipHeader  = 20
	udpHeader = 8
	protoUDP  = 17
)

// beaconFilter lets datagrams of UDP pass that begin with ZRE.
var beaconFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9}, // the protocol
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protoUDP, Jf: 5},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}, // the length of the IP header
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_IND, K: udpHeader},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xffffff00},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 'Z'<<24 | 'R'<<16 | 'E'<<8, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// sniff sees beacons as they come in on the wire, before a firewall of this host, whatever
// their port is. It needs root, or CAP_NET_RAW. Run returns after stop.
func sniff(add func(datagram []byte, from netip.Addr, ifIndex, udpPort int, received bool)) (run, stop func(), err error) {
	network := int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_IP)))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	program := unix.SockFprog{Len: uint16(len(beaconFilter)), Filter: &beaconFilter[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	if err == nil { // from here on it gets packets
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(network)})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, nil, os.NewSyscallError("packet socket", err)
	}
	quit := make(chan struct{})
	run = func() {
		defer unix.Close(fd)
		for {
			select {
			case <-quit:
				return
			default:
			}
			sniffOne(fd, add)
		}
	}
	return run, func() { close(quit) }, nil
}

// sniffOne waits for a moment, and takes one packet if there is any.
func sniffOne(fd int, add func(datagram []byte, from netip.Addr, ifIndex, udpPort int, received bool)) {
	const moment = 100 * time.Millisecond
	waiting := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(waiting, int(moment.Milliseconds())); n < 1 || err != nil {
		return
	}
	packet := make([]byte, 2048)
	n, from, err := unix.Recvfrom(fd, packet, 0)
	at, ok := from.(*unix.SockaddrLinklayer)
	if err != nil && !errors.Is(err, unix.EINTR) || !ok || at.Pkttype == unix.PACKET_OUTGOING || at.Hatype == unix.ARPHRD_LOOPBACK {
		return
	}
	if datagram, source, port, ok := parsePacket(packet[:max(n, 0)]); ok {
		add(datagram, source, at.Ifindex, port, false)
	}
}

// parsePacket returns what is in a packet of IPv4 and UDP.
func parsePacket(packet []byte) (datagram []byte, from netip.Addr, port int, ok bool) {
	if len(packet) < ipHeader || packet[0]>>4 != 4 || packet[9] != protoUDP {
		return nil, from, 0, false
	}
	start := int(packet[0]&0xf) * 4
	if start < ipHeader || len(packet) < start+udpHeader {
		return nil, from, 0, false
	}
	udp := packet[start:]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpHeader || length > len(udp) {
		return nil, from, 0, false
	}
	return udp[udpHeader:length], netip.AddrFrom4([4]byte(packet[12:16])), int(binary.BigEndian.Uint16(udp[2:])), true
}
