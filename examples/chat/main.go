// Chat sends what you type to everybody in a group, and shows what others type. Start
// it in two terminals:
//
//	go run ./examples/chat -name alice -iface lo
//	go run ./examples/chat -name bob -iface lo
//
// Lines that begin with a slash are commands:
//
//	/w NAME TEXT   whisper to one peer
//	/join GROUP    join a group, and talk there from now on
//	/leave GROUP   leave a group
//	/who           list the peers
//	/quit          end the program, as Ctrl-C and the end of the input do
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
	"unicode"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", os.Getenv("USER"), "your name")
	group := flag.String("group", "chat", "the group to talk in")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	port := flag.Int("port", 5670, "UDP port of the beacons")
	verbose := flag.Bool("verbose", false, "log what the node does")
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
		c.prompt = "" // the input is not a terminal
	}
	go c.read(stop)
	for event := range node.Events() {
		c.show(event)
	}
}

type chat struct {
	node   *zyre.Zyre
	group  string // where to talk; used only by the goroutine that reads the keyboard
	prompt string
}

// read carries out what is typed. At the end of the input it stops the node.
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

// whisper sends a text to the peer whose name comes first in rest.
func (c *chat) whisper(rest string) {
	name, text, _ := strings.Cut(rest, " ")
	for _, peer := range c.node.Peers() {
		if c.node.PeerName(peer) == name {
			c.node.Whisper(peer, []byte(text))
			return
		}
	}
	fmt.Printf("? nobody called %s is here\n", printable(name))
}

// who lists the peers.
func (c *chat) who() {
	for _, peer := range c.node.Peers() {
		fmt.Printf("* %s at %s\n", printable(c.node.PeerName(peer)), printable(c.node.PeerAddress(peer)))
	}
}

// printable replaces everything in a text that is not a visible character or a space. A
// peer can send any bytes: without this they could move the cursor, clear the screen or
// look like a line of somebody else.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// show prints what happened in place of the prompt, and then the prompt again.
func (c *chat) show(e *zyre.Event) {
	name, group, msg := printable(e.PeerName), printable(e.Group), printable(string(e.Msg))
	text := ""
	switch e.Type {
	case "ENTER":
		text = fmt.Sprintf("* %s is here", name)
	case "EXIT":
		text = fmt.Sprintf("* %s is gone", name)
	case "JOIN":
		text = fmt.Sprintf("* %s joins #%s", name, group)
	case "LEAVE":
		text = fmt.Sprintf("* %s leaves #%s", name, group)
	case "SHOUT":
		text = fmt.Sprintf("#%s <%s> %s", group, name, msg)
	case "WHISPER":
		text = fmt.Sprintf("%s whispers: %s", name, msg)
	case "EVASIVE":
		text = fmt.Sprintf("* %s does not answer", name)
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
