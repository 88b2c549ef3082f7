package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
)

// subFlags say what zyre sub shows, and when it ends.
type subFlags struct {
	whispers bool
	raw      bool
	from     bool
	count    int
	once     bool
}

func newSub(a *app) *cobra.Command {
	var f subFlags
	cmd := &cobra.Command{
		Use:   "sub [GROUP...]",
		Short: "Print what is shouted to groups, or whispered to this node",
		Long: "Join groups and print each message that is shouted to them, one a line. Without a group it\n" +
			"prints what is whispered to this node.\n\n" +
			"To a pipe or file messages go as they are. On a terminal everything that could control it\n" +
			"is shown as an escape such as \\x1b. While the reader of a pipe is slow, the senders wait:\n" +
			"nothing is lost.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.raw && (f.from || a.json) {
				return usageError{errors.New("--raw does not go with --from or --json")}
			}
			groups := append(args, a.groups...)
			join := func(node *zyre.Zyre) {
				for _, group := range groups {
					node.Join(group)
				}
			}
			s := &subscriber{app: a, subFlags: f, groups: groups, terminal: isTerminal(a.out.w)}
			return a.withNode(cmd.Context(), join, func(node *zyre.Zyre) error { return s.run(cmd.Context(), node) })
		},
		Example: "  zyre sub weather --from\n" +
			"  zyre sub --name printer               # what is whispered to printer\n" +
			"  zyre sub backup --raw --once | tar x",
	}
	cmd.Flags().BoolVar(&f.whispers, "whispers", f.whispers, "print whispers to this node as well as shouts")
	cmd.Flags().BoolVar(&f.raw, "raw", f.raw, "print messages as they are, with nothing between them")
	cmd.Flags().BoolVar(&f.from, "from", f.from, "print the name of the sender and a tab before each message")
	cmd.Flags().IntVarP(&f.count, "count", "c", f.count, "end after this `NUMBER` of messages; 0 is never")
	cmd.Flags().BoolVar(&f.once, "once", f.once, "end when a node from which a message came has left")
	return cmd
}

// subscriber prints messages.
type subscriber struct {
	*app
	subFlags
	groups   []string
	terminal bool
	printed  int
	senders  map[string]bool // by UUID
}

func (s *subscriber) run(ctx context.Context, node *zyre.Zyre) error {
	s.senders = map[string]bool{}
	for e := range node.Events() {
		switch e.Type {
		case zyre.EventShout, zyre.EventWhisper:
			if !s.isWanted(e) {
				continue
			}
			s.senders[e.PeerUUID] = true
			if err := s.print(e); err != nil {
				return err
			}
			s.printed++
			if s.printed == s.count {
				return nil
			}
		case zyre.EventLeave, zyre.EventExit:
			if !s.once || !s.senders[e.PeerUUID] || e.Type == zyre.EventLeave && !slices.Contains(s.groups, e.Group) {
				continue
			}
			if s.count > 0 {
				return fmt.Errorf("%s has left after %d of %d messages", e.PeerName, s.printed, s.count)
			}
			if e.Type == zyre.EventExit && e.Reason != zyre.ReasonGoodbye {
				return fmt.Errorf("%s is gone (%s): the end of what it sent may be missing", e.PeerName, e.Reason)
			}
			return nil
		}
	}
	if s.count > 0 || s.once || ctx.Err() == nil {
		return stopped(ctx)
	}
	return nil // it was to go on until Ctrl-C
}

func (s *subscriber) isWanted(e *zyre.Event) bool {
	return e.Type == zyre.EventShout || s.whispers || len(s.groups) == 0
}

func (s *subscriber) print(e *zyre.Event) error {
	if s.json {
		return s.out.object(newEventLine(e, time.Now()))
	}
	from := ""
	if s.from {
		from = safe(e.PeerName) + "\t"
	}
	var b bytes.Buffer
	for _, frame := range e.Frames {
		b.WriteString(from)
		if s.terminal {
			b.WriteString(safe(string(frame)))
		} else {
			b.Write(frame)
		}
		if !s.raw {
			b.WriteByte('\n')
		}
	}
	_, err := s.out.Write(b.Bytes())
	return err
}
