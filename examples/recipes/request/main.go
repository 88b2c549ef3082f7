// Request asks peers for something and waits for their replies. It waits no longer than a
// time-out, and not for a peer that is gone: its EXIT ends the wait at once. Start it in
// two terminals:
//
//	go run ./examples/recipes/request -name alice -iface lo
//	go run ./examples/recipes/request -name bob -iface lo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface)
	node.Join("clock")
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	c := newClient(node, func(string) string { return time.Now().Format(time.TimeOnly) })
	for event := range node.Events() {
		c.handle(event)
		if event.Type == zyre.EventJoin && event.Group == "clock" {
			go func() { // the loop has to go on: it is what receives the reply
				ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
				reply, err := c.ask(ctx, event.PeerUUID, "what time is it?")
				fmt.Printf("%q says %q, %v\n", event.PeerName, reply, err)
			}()
		}
	}
}

// errGone is the answer of ask when the peer exits before it has replied.
var errGone = errors.New("the peer is gone")

// client asks other clients, and answers what they ask. A message has three frames: what
// it is, the number of the request, and the text.
type client struct {
	node   *zyre.Zyre
	answer func(request string) string

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]call
}

// call is a request without a reply.
type call struct {
	peer  string
	reply chan result // has room for one, so that handle never waits
}

type result struct {
	text string
	err  error
}

func newClient(node *zyre.Zyre, answer func(request string) string) *client {
	return &client{node: node, answer: answer, waiting: map[uint64]call{}}
}

// ask sends a request and returns the reply. It returns errGone if the peer exits, and the
// error of ctx if that ends first. It must not be called by the goroutine that calls
// handle.
func (c *client) ask(ctx context.Context, peer, request string) (string, error) {
	c.mu.Lock()
	c.last++
	number, reply := c.last, make(chan result, 1)
	c.waiting[number] = call{peer, reply}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, number)
		c.mu.Unlock()
	}()
	// The call is noted before the message goes out: an EXIT between the two is not missed.
	err := c.node.WhisperContext(ctx, peer, []byte("request"), strconv.AppendUint(nil, number, 10), []byte(request))
	if err != nil {
		return "", err
	}
	select {
	case r := <-reply:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// handle takes the events of the node, all of them.
func (c *client) handle(e *zyre.Event) {
	switch {
	case e.Type == zyre.EventExit:
		// If the peer enters again it may have lost the request: whoever asked decides
		// whether to ask again.
		c.finish(func(_ uint64, w call) bool { return w.peer == e.PeerUUID }, result{err: errGone})
	case e.Type == zyre.EventStop:
		c.finish(func(uint64, call) bool { return true }, result{err: zyre.ErrNotRunning})
	case e.Type != zyre.EventWhisper || len(e.Frames) != 3:
		// not one of ours
	case string(e.Frames[0]) == "request":
		c.node.WhisperFrames(e.PeerUUID, []byte("reply"), e.Frames[1], []byte(c.answer(string(e.Frames[2]))))
	case string(e.Frames[0]) == "reply":
		number, err := strconv.ParseUint(string(e.Frames[1]), 10, 64)
		if err != nil {
			return
		}
		// Only the peer that was asked can answer.
		c.finish(func(n uint64, w call) bool { return n == number && w.peer == e.PeerUUID }, result{text: string(e.Frames[2])})
	}
}

// finish ends the calls that match.
func (c *client) finish(match func(number uint64, w call) bool, r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, w := range c.waiting {
		if match(number, w) {
			w.reply <- r
			delete(c.waiting, number)
		}
	}
}
