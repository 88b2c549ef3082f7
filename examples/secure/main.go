// Secure runs two nodes that have authorized each other's keys, and a third node whose
// key they have not authorized. The two talk with each other, encrypted; the third is
// refused.
//
//	go run ./examples/secure
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-zyre/zyre"
)

const port = 15672 // UDP port of the beacons; not the default, to meet no other nodes

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	// A real program makes its certificate once and keeps it in files, with Save and
	// LoadCert. It gives the public one to those who may talk with it.
	certs := map[string]*zyre.Cert{}
	for _, name := range []string{"alice", "bob", "mallory"} {
		cert, err := zyre.NewCert()
		if err != nil {
			return err
		}
		certs[name] = cert
	}
	alice := node(ctx, "alice", certs).SetAuthorizedKeys(certs["bob"].PublicKey)
	bob := node(ctx, "bob", certs).SetAuthorizedKeys(certs["alice"].PublicKey)
	mallory := node(ctx, "mallory", certs)
	for _, n := range []*zyre.Zyre{mallory, alice, bob} {
		if err := n.Start(); err != nil {
			return err
		}
		defer n.Stop()
	}
	for e := range alice.Events() {
		fmt.Printf("alice sees %s %q\n", e.Type, e.PeerName)
		if e.Type == "ENTER" {
			alice.Whispers(e.PeerUUID, "our secret")
			break
		}
	}
	for e := range bob.Events() {
		if e.Type == "WHISPER" {
			fmt.Printf("bob sees WHISPER %q %q\n", e.PeerName, e.Msg)
			break
		}
	}
	for alice.Stats().Dropped.KeysRefused == 0 && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond) // mallory sends a beacon once a second
	}
	fmt.Println("alice refused mallory, who sees", len(mallory.Peers()), "peers")
	return ctx.Err()
}

func node(ctx context.Context, name string, certs map[string]*zyre.Cert) *zyre.Zyre {
	cert := certs[name]
	return zyre.NewZyre(ctx).SetName(name).SetInterface("lo").SetPort(port).
		SetZCert(cert.PublicKey, cert.SecretKey)
}
