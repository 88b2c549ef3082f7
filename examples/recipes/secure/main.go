// Secure runs a node of a fleet in which every node has a certificate, and talks only with
// those whose public certificates lie in a directory. Whoever is to be shut out while the
// fleet runs: delete the file. Make certificates, then start the nodes:
//
//	go run ./examples/recipes/secure -make alice -dir /tmp/fleet
//	go run ./examples/recipes/secure -make bob -dir /tmp/fleet
//	go run ./examples/recipes/secure -name alice -dir /tmp/fleet -iface lo
//	go run ./examples/recipes/secure -name bob -dir /tmp/fleet -iface lo
//	rm /tmp/fleet/public/bob
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this node, and of its certificate")
	newName := flag.String("make", "", "make a certificate with this name, and end")
	dir := flag.String("dir", "", "directory of the certificates")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *newName != "" {
		if err := makeCert(*dir, *newName); err != nil {
			log.Fatal(err)
		}
		return
	}
	node := zyre.NewZyre(ctx).SetInterface(*iface)
	if err := secure(node, *dir, *name); err != nil {
		log.Fatal(err)
	}
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	go watch(ctx, node, publicDir(*dir), 5*time.Second)
	for event := range node.Events() {
		fmt.Println(event) // an EXIT of one that was shut out has the reason "key revoked"
	}
}

func publicDir(dir string) string { return filepath.Join(dir, "public") }

// makeCert makes a certificate: DIR/NAME_secret for the node alone, and DIR/public/NAME,
// which every node of the fleet gets a copy of.
func makeCert(dir, name string) error {
	cert, err := zyre.NewCert()
	if err != nil {
		return err
	}
	cert.Metadata = map[string]string{"name": name}
	if err := os.MkdirAll(publicDir(dir), 0o755); err != nil {
		return err
	}
	if err := cert.Save(filepath.Join(dir, name)); err != nil {
		return err
	}
	return cert.SavePublic(filepath.Join(publicDir(dir), name))
}

// secure gives a node its certificate and the list of those who may talk with it.
func secure(node *zyre.Zyre, dir, name string) error {
	cert, err := zyre.LoadCert(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	node.SetName(name).SetZCert(cert.PublicKey, cert.SecretKey)
	return authorize(node, publicDir(dir))
}

// authorize reads the directory of public certificates and lets in those alone. On a
// running node it acts at once: who is not on the list any more exits and cannot come back.
func authorize(node *zyre.Zyre, dir string) error {
	certs, err := zyre.LoadCertStore(dir)
	if len(certs) == 0 && err != nil {
		return err // the directory cannot be read: the list stays as it was
	}
	var keys []string
	for _, cert := range certs {
		keys = append(keys, cert.PublicKey)
	}
	node.SetAuthorizedKeys(keys...)
	return err // of a damaged file; it must not keep another one from being revoked
}

// watch follows the directory until ctx ends.
func watch(ctx context.Context, node *zyre.Zyre, dir string, interval time.Duration) {
	for tick := time.NewTicker(interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if err := authorize(node, dir); err != nil {
				log.Print(err)
			}
		}
	}
}
