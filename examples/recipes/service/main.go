// Service runs a service beside ZRE: each node publishes on a PUB socket of its own, says
// its port in a header, and subscribes to those of all peers. Use it for streams that few
// read, and for protocols that others have defined. Start it in two terminals:
//
//	go run ./examples/recipes/service -name alice -iface lo
//	go run ./examples/recipes/service -name bob -iface lo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
)

// header says the port of the service. The name begins with X-, as those of applications
// do.
const header = "X-FEED-PORT"

func main() {
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	bind := flag.String("bind", "127.0.0.1", "address at which the service listens; * is all of this host")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface), *bind); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, node *zyre.Zyre, bind string) error {
	pub, err := offer(node, bind)
	if err != nil {
		return err
	}
	go publish(ctx, pub, node.Name()) // which owns the socket from here on
	sub, err := zmq.NewSocket(zmq.SUB)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := errors.Join(sub.SetSubscribe(""), sub.SetRcvtimeo(50*time.Millisecond), node.Start()); err != nil {
		return err
	}
	// A socket of ZeroMQ belongs to one goroutine. So this one both follows the events and
	// receives.
	for ctx.Err() == nil {
		select {
		case event, open := <-node.Events():
			if !open {
				return nil // the node has stopped
			}
			if err := follow(sub, event); err != nil {
				log.Print(err)
			}
		default:
			if text, err := sub.Recv(0); err == nil {
				fmt.Printf("%q\n", text)
			}
		}
	}
	return nil
}

// offer binds the service to a free port and says in a header which one it is. It is
// called before Start: the headers go to the peers with HELLO.
func offer(node *zyre.Zyre, bind string) (*zmq.Socket, error) {
	pub, err := zmq.NewSocket(zmq.PUB)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(pub.SetLinger(0), pub.Bind("tcp://"+bind+":*")); err != nil {
		return nil, errors.Join(err, pub.Close())
	}
	bound, err := pub.GetLastEndpoint()
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(bound)
	if err != nil {
		return nil, err
	}
	node.SetHeader(header, "%s", at.Port())
	return pub, nil
}

// endpointOf returns where the service of a peer is: at the address of the peer, and the
// port in its header. It is false for peers without the service.
func endpointOf(event *zyre.Event) (endpoint string, ok bool) {
	port, ok := event.Header(header)
	at, err := url.Parse(event.PeerAddr)
	if !ok || err != nil || at.Scheme != "tcp" {
		return "", false
	}
	return "tcp://" + net.JoinHostPort(at.Hostname(), port), true
}

// follow connects to the service of a peer that enters, and disconnects when it exits.
func follow(sub *zmq.Socket, event *zyre.Event) error {
	endpoint, ok := endpointOf(event)
	switch {
	case ok && event.Type == zyre.EventEnter:
		return sub.Connect(endpoint)
	case ok && event.Type == zyre.EventExit:
		return sub.Disconnect(endpoint)
	}
	return nil
}

// publish publishes the time until ctx ends.
func publish(ctx context.Context, pub *zmq.Socket, name string) {
	defer pub.Close()
	for tick := time.NewTicker(time.Second); ; {
		select {
		case now := <-tick.C:
			if _, err := pub.Send(fmt.Sprintf("%s: %s", name, now.Format(time.TimeOnly)), zmq.DONTWAIT); err != nil {
				log.Print(err)
			}
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}
