// Fleet is an application in full, of some 300 lines: agents on the machines of a fleet
// find each other, share their status, send each other files of any size, and elect a
// coordinator that watches over all. Everything is encrypted, and only who is on the list
// takes part. Make certificates, then start the agents:
//
//	go run ./examples/fleet -make alice -certs /tmp/fleet
//	go run ./examples/fleet -make bob -certs /tmp/fleet
//	go run ./examples/fleet -name alice -certs /tmp/fleet -iface lo -files /tmp/alice
//	go run ./examples/fleet -name bob -certs /tmp/fleet -iface lo -files /tmp/bob -send some.iso
//
// Delete a file in /tmp/fleet/public, and its owner is shut out. With -http, what the node
// counts is at /debug/vars. Ctrl-C and SIGTERM end an agent when its transfers have ended,
// after 10 s at the latest.
package main

import (
	"context"
	"errors"
	"expvar"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this agent, and of its certificate")
	makeName := flag.String("make", "", "make a certificate with this name, and end")
	certs := flag.String("certs", "", "directory of the certificates")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	files := flag.String("files", ".", "directory for files that come")
	send := flag.String("send", "", "file to send to every agent that joins")
	listen := flag.String("http", "", "address of the metrics, such as 127.0.0.1:9100")
	flag.Parse()
	if *makeName != "" {
		if err := makeCert(*certs, *makeName); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once

	node := zyre.NewZyre(context.Background()).SetName(*name).SetInterface(*iface)
	a, err := newAgent(node, *certs, *files, slog.New(slog.NewTextHandler(os.Stdout, nil)).With("agent", *name))
	if err != nil {
		log.Fatal(err)
	}
	a.send = *send
	if *listen != "" {
		expvar.Publish("zyre", expvar.Func(func() any { return node.Stats() }))
		go func() { a.log.Error("metrics", "err", http.ListenAndServe(*listen, nil)) }()
	}
	if err := a.run(ctx); err != nil {
		log.Fatal(err)
	}
}

// makeCert makes a certificate: DIR/NAME_secret for its owner, and DIR/public/NAME for all.
func makeCert(dir, name string) error {
	cert, err := zyre.NewCert()
	if err != nil {
		return err
	}
	public := filepath.Join(dir, "public")
	return errors.Join(os.MkdirAll(public, 0o755), cert.Save(filepath.Join(dir, name)), cert.SavePublic(filepath.Join(public, name)))
}
