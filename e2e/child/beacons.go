//go:build unix

package child

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

// makeBeacon makes a Beacon, by the name in Node, and returns the address that it uses.
func (c *inside) makeBeacon(command Command) (address any, err error) {
	var cfg BeaconConfig
	if err := json.Unmarshal(command.With, &cfg); err != nil {
		return nil, err
	}
	b := zyre.NewBeacon()
	c.beacons[command.Node] = b
	for _, cmd := range []*zyre.Cmd{
		{ID: "VERBOSE"},
		{ID: "INTERFACE", Payload: cfg.Interface},
		{ID: "INTERVAL", Payload: 100 * time.Millisecond},
		{ID: "SUBSCRIBE", Payload: "ZRE"},
		{ID: "PUBLISH", Payload: cfg.Datagram},
		{ID: "CONFIGURE", Payload: cfg.Port},
	} {
		reply := b.SetBeaconCmd(cmd)
		if reply.Err != nil {
			return nil, reply.Err
		}
		address = reply.Payload
	}
	go func() { // ends with the Beacon
		for s := range b.Signals {
			at := time.Now()
			c.write(report{At: &at, Node: command.Node, Heard: s})
		}
	}()
	return address, nil
}

// flood sends forged beacons.
type flood struct {
	stopped chan struct{}
	done    sync.WaitGroup
	sent    int
}

// startFlood sends beacons of nodes that do not exist to an address, a number a second.
func startFlood(to string, rate int) (*flood, error) {
	lc := net.ListenConfig{Control: allowBroadcast}
	c, err := lc.ListenPacket(context.Background(), "udp4", ":0")
	if err != nil {
		return nil, err
	}
	addr, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		c.Close()
		return nil, err
	}
	f := &flood{stopped: make(chan struct{})}
	f.done.Go(func() {
		defer c.Close()
		start := time.Now()
		watch.Paced(time.Millisecond, func() (last bool) {
			due := int(time.Since(start).Seconds() * float64(rate))
			for late := min(due-f.sent, rate/10); late > 0; late-- {
				f.sent++
				_, _ = c.WriteTo(ForgedBeacon(uint64(f.sent)*0x9E3779B97F4A7C15, 0x4142), addr)
			}
			select {
			case <-f.stopped:
				return true
			default:
				return false
			}
		})
	})
	return f, nil
}

// halt ends the flood and returns how many beacons it sent.
func (f *flood) halt() int {
	if f == nil {
		return 0
	}
	select {
	case <-f.stopped:
	default:
		close(f.stopped)
	}
	f.done.Wait()
	return f.sent
}

// connect opens TCP connections on which nothing is ever said.
func (c *inside) connect(to string, count int) (opened int) {
	conns := make([]net.Conn, count)
	var dials sync.WaitGroup
	for i := range conns {
		dials.Go(func() { conns[i], _ = net.DialTimeout("tcp", to, 5*time.Second) })
		if i%50 == 49 {
			dials.Wait()
		}
	}
	dials.Wait()
	for _, conn := range conns {
		if conn != nil {
			c.conns = append(c.conns, conn)
			opened++
		}
	}
	return opened
}

// redirectStderr makes log lines of what is written to standard error, where a Beacon
// that is VERBOSE writes its log.
func redirectStderr(r *Reporter) {
	read, write, err := os.Pipe()
	if err != nil {
		r.Fault("no pipe: %v", err)
		return
	}
	os.Stderr = write
	go func() { // ends with the process
		for lines := bufio.NewScanner(read); lines.Scan(); {
			r.write(report{Log: lines.Text()})
		}
	}()
}

// ForgedBeacon is the beacon of a node that does not exist; its UUID is made of a number.
func ForgedBeacon(uuid uint64, port uint16) []byte {
	return BeaconOf([16]byte(fmt.Appendf(nil, "%016x", uuid)), port)
}

// BeaconOf is the datagram that announces a node at a port; 0 is its goodbye.
func BeaconOf(uuid [16]byte, port uint16) []byte {
	b := append([]byte("ZRE\x01"), uuid[:]...)
	return binary.BigEndian.AppendUint16(b, port)
}
