// Ping measures how long a message to each peer and back takes. Start it in two
// terminals or on two hosts:
//
//	go run ./examples/ping -iface lo
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-zyre/zyre"
)

func main() {
	iface := flag.String("iface", "", `network interface; "lo" stays on this host`)
	port := flag.Int("port", 5670, "UDP port of the beacons")
	every := flag.Duration("every", time.Second, "time between two pings")
	count := flag.Int("count", 0, "stop after so many answers; 0 means never")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	node := zyre.NewZyre(ctx).SetInterface(*iface).SetPort(*port)
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	defer node.Stop()

	start, answers := time.Now(), 0
	ticker := time.NewTicker(*every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, peer := range node.Peers() {
				node.Whisper(peer, stamp('?', time.Since(start)))
			}
		case event, running := <-node.Events():
			if !running {
				return
			}
			if answered(node, event, start) {
				answers++
			}
			if *count > 0 && answers >= *count {
				return
			}
		}
	}
}

// answered replies if the event is a question. If it is an answer, answered prints the
// time that it took and returns true.
func answered(node *zyre.Zyre, e *zyre.Event, start time.Time) bool {
	switch {
	case e.Type == "ENTER" || e.Type == "EXIT":
		fmt.Printf("%s %q %q\n", e.Type, e.PeerName, e.PeerAddr)
	case e.Type == "WHISPER" && len(e.Msg) == 9 && e.Msg[0] == '?':
		e.Msg[0] = '!'
		node.Whisper(e.PeerUUID, e.Msg)
	case e.Type == "WHISPER" && len(e.Msg) == 9 && e.Msg[0] == '!':
		sent := time.Duration(binary.BigEndian.Uint64(e.Msg[1:]))
		fmt.Printf("%q answers after %v\n", e.PeerName, (time.Since(start) - sent).Round(time.Microsecond))
		return true
	}
	return false
}

// stamp makes a message: its kind ('?' is a question), and the time at which it was sent.
func stamp(kind byte, at time.Duration) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(at))
}
