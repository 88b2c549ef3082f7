// Chat talks to everybody in a group. Start it in two terminals:
//
//	go run ./examples/chat -name alice -iface lo
//	go run ./examples/chat -name bob -iface lo
//
// What is typed goes to the group. Lines that begin with a slash are commands:
//
//	/w NAME TEXT   whisper to one person
//	/join GROUP    talk in another group
//	/leave GROUP   leave a group
//	/who           who is here
//	/quit          leave, as Ctrl-C and the end of the input do
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", os.Getenv("USER"), "your name")
	group := flag.String("group", "chat", "the group to talk in")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	port := flag.Int("port", 5670, "UDP port of the beacons")
	verbose := flag.Bool("verbose", false, "tell what the node does")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	node := zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface).SetPort(*port)
	if *verbose {
		node.SetVerbose()
	}
	node.Join(*group)
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	c := &chat{node: node, group: *group, prompt: "> "}
	if info, err := os.Stdin.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		c.prompt = "" // nobody is typing
	}
	go c.read(stop)
	for event := range node.Events() {
		c.show(event)
	}
}

type chat struct {
	node   *zyre.Zyre
	group  string // only the goroutine that reads the keyboard uses it
	prompt string
}

// read does what is typed, until there is no more; then it stops the node.
func (c *chat) read(stop func()) {
	defer stop()
	lines := bufio.NewScanner(os.Stdin)
	for fmt.Print(c.prompt); lines.Scan(); fmt.Print(c.prompt) {
		line := strings.TrimSpace(lines.Text())
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
		case word == "/quit":
			return
		case word == "/who":
			c.who()
		case word == "/join" && rest != "":
			c.group = rest
			c.node.Join(rest)
		case word == "/leave" && rest != "":
			c.node.Leave(rest)
		case word == "/w" && rest != "":
			c.whisper(rest)
		case strings.HasPrefix(word, "/"):
			fmt.Println("? /w NAME TEXT  /join GROUP  /leave GROUP  /who  /quit")
		default:
			c.node.Shout(c.group, []byte(line))
		}
	}
}

// whisper sends to the person whose name begins the text.
func (c *chat) whisper(rest string) {
	name, text, _ := strings.Cut(rest, " ")
	for _, peer := range c.node.Peers() {
		if c.node.PeerName(peer) == name {
			c.node.Whisper(peer, []byte(text))
			return
		}
	}
	fmt.Printf("? nobody called %s is here\n", name)
}

func (c *chat) who() {
	for _, peer := range c.node.Peers() {
		fmt.Printf("* %s at %s\n", c.node.PeerName(peer), c.node.PeerAddress(peer))
	}
}

// show prints what happened, in place of the prompt, which then follows.
func (c *chat) show(e *zyre.Event) {
	text := ""
	switch e.Type {
	case "ENTER":
		text = fmt.Sprintf("* %s is here", e.PeerName)
	case "EXIT":
		text = fmt.Sprintf("* %s is gone", e.PeerName)
	case "JOIN":
		text = fmt.Sprintf("* %s joins #%s", e.PeerName, e.Group)
	case "LEAVE":
		text = fmt.Sprintf("* %s leaves #%s", e.PeerName, e.Group)
	case "SHOUT":
		text = fmt.Sprintf("#%s <%s> %s", e.Group, e.PeerName, e.Msg)
	case "WHISPER":
		text = fmt.Sprintf("%s whispers: %s", e.PeerName, e.Msg)
	case "EVASIVE":
		text = fmt.Sprintf("* %s does not answer", e.PeerName)
	case "STOP":
		text = "* goodbye"
	default:
		return
	}
	if c.prompt != "" {
		text = "\r" + text
	}
	fmt.Println(text)
	if e.Type != "STOP" {
		fmt.Print(c.prompt)
	}
}
