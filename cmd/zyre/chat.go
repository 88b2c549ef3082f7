package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/go-zyre/zyre"
)

func newChat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "chat",
		Short: "Talk with others in groups",
		Long: "Shout what you type to a group, --group or \"chat\", and see what others shout and whisper.\n" +
			"Lines that begin with a slash are commands:\n\n" + chatHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &chat{app: a, group: "chat"}
			if len(a.groups) > 0 {
				c.group = a.groups[0]
			}
			if a.name == "" {
				a.name = os.Getenv("USER")
			}
			// The end of the input ends the node.
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			join := func(node *zyre.Zyre) {
				for _, group := range append(a.groups, c.group) {
					node.Join(group)
				}
			}
			return a.withNode(ctx, join, func(node *zyre.Zyre) error { return c.run(node, cancel) })
		},
		Example: "  zyre chat --name alice --group kitchen",
	}
}

const chatHelp = "  /w NAME TEXT   whisper to one node\n" +
	"  /join GROUP    join a group, and talk there from now on\n" +
	"  /leave GROUP   leave a group\n" +
	"  /who           list the nodes\n" +
	"  /quit          end, as Ctrl-C and the end of the input do"

// chat is a conversation.
type chat struct {
	*app
	node  *zyre.Zyre
	group string // where to talk; only the goroutine that reads the keyboard uses it
	lines lineReader
	show  func(line string) error
}

// lineReader reads what is typed, without the line's end.
type lineReader func() (string, error)

func (c *chat) run(node *zyre.Zyre, stop func()) error {
	c.node = node
	restore, err := c.open()
	if err != nil {
		return err
	}
	defer restore()
	failed := make(chan error, 1)
	go func() { // ends with the input, or with the process if the input does not end
		failed <- c.read()
		stop()
	}()
	for e := range node.Events() {
		if err := c.event(e); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// open prepares for reading and showing. On a terminal the line that is being typed stays
// whole below what is shown.
func (c *chat) open() (restore func(), err error) {
	file, isFile := c.in.(*os.File)
	if c.json || !isFile || !isTerminal(c.in) || !isTerminal(c.out.w) {
		input := bufio.NewReader(c.in)
		c.lines = func() (string, error) {
			line, err := input.ReadString('\n')
			if line != "" {
				err = nil
			}
			return strings.TrimRight(line, "\r\n"), err
		}
		c.show = func(line string) error { return c.out.line("%s", line) }
		if c.json { // events are all that is on standard output
			c.show = func(line string) error { return c.errOut.line("%s", line) }
		}
		return func() {}, nil
	}
	before, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return nil, err
	}
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{file, c.out}, "> ")
	if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		_ = terminal.SetSize(width, height)
	}
	c.lines = terminal.ReadLine
	c.show = func(line string) error {
		_, err := terminal.Write([]byte(line + "\n"))
		return err
	}
	return func() {
		_ = terminal.SetSize(1<<15, 1)
		_ = term.Restore(int(file.Fd()), before)
		_ = c.out.line("")
	}, nil
}

// read carries out what is typed, until the end of the input.
func (c *chat) read() error {
	for {
		line, err := c.lines()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return err
		}
		if line = strings.TrimSpace(line); line == "/quit" {
			return nil
		}
		if answer := c.typed(line); answer != "" {
			if err := c.show(answer); err != nil {
				return err
			}
		}
	}
}

// typed carries out one line and returns what there is to answer.
func (c *chat) typed(line string) (answer string) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case line == "":
	case word == "/who":
		return c.who()
	case word == "/join" && rest != "":
		c.group = rest
		c.node.Join(rest)
	case word == "/leave" && rest != "":
		c.node.Leave(rest)
	case word == "/w" && rest != "":
		return c.whisper(rest)
	case strings.HasPrefix(word, "/"):
		return chatHelp
	default:
		c.node.Shout(c.group, []byte(line))
	}
	return ""
}

// whisper sends a text to the node whose name comes first in rest.
func (c *chat) whisper(rest string) string {
	name, text, _ := strings.Cut(rest, " ")
	switch found := matchPeers(c.node.PeerList(), name); len(found) {
	case 0:
		return "? nobody called " + safe(name) + " is here"
	case 1:
		c.node.Whisper(found[0].UUID, []byte(text))
		return ""
	default:
		return fmt.Sprintf("? %d nodes are called %s; use the UUID from /who", len(found), safe(name))
	}
}

func (c *chat) who() string {
	var b strings.Builder
	for _, p := range c.node.PeerList() {
		fmt.Fprintf(&b, "* %s %s at %s: %s\n", safe(p.Name), p.UUID[:6], safe(p.Endpoint), safe(strings.Join(p.Groups, ", ")))
	}
	if b.Len() == 0 {
		return "* nobody else is here"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// event shows what happened.
func (c *chat) event(e *zyre.Event) error {
	if c.json {
		return c.out.object(newEventLine(e, time.Now()))
	}
	name, group := safe(e.PeerName), safe(e.Group)
	var parts []string
	for _, frame := range e.Frames {
		parts = append(parts, safe(string(frame)))
	}
	text := strings.Join(parts, " | ")
	line := ""
	switch e.Type {
	case zyre.EventEnter:
		line = c.out.paint(dim, "* "+name+" is here")
	case zyre.EventExit:
		line = c.out.paint(dim, "* "+name+" is gone ("+e.Reason+")")
	case zyre.EventJoin:
		line = c.out.paint(dim, "* "+name+" joins #"+group)
	case zyre.EventLeave:
		line = c.out.paint(dim, "* "+name+" leaves #"+group)
	case zyre.EventShout:
		line = "#" + group + " <" + c.out.paint(bold, name) + "> " + text
	case zyre.EventWhisper:
		line = c.out.paint(bold, name) + " whispers: " + text
	case zyre.EventEvasive:
		line = c.out.paint(yellow, "* "+name+" does not answer")
	default:
		return nil
	}
	return c.show(line)
}
