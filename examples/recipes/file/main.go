// File sends a file of any size to whoever joins a group. It goes in pieces, so that
// neither side holds all of it in memory, and if the connection breaks it is continued from
// where it was. Start the receiver first or last:
//
//	go run ./examples/recipes/file -iface lo -send big.iso
//	go run ./examples/recipes/file -iface lo -into /tmp
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	send := flag.String("send", "", "file to send")
	into := flag.String("into", "", "directory to receive into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetInterface(*iface)
	node.Join("files")
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	if *send != "" {
		s, err := newSender(node, *send)
		if err != nil {
			log.Fatal(err)
		}
		for event := range node.Events() {
			s.handle(ctx, event)
		}
		return
	}
	r := newReceiver(node, *into)
	r.progress = showProgress
	for event := range node.Events() {
		done, err := r.handle(event)
		if err != nil {
			log.Fatal(err)
		}
		if done != "" {
			fmt.Println("\nreceived", done)
			stop()
		}
	}
}

// showProgress draws a bar over the one before it.
func showProgress(done, size int64) {
	const width = 40
	full := width
	if size > 0 {
		full = int(done * width / size)
	}
	fmt.Printf("\r[%s%s] %d of %d MB", strings.Repeat("#", full), strings.Repeat(".", width-full), done>>20, size>>20)
}
