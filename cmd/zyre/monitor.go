package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/cmd/zyre/internal/monitor"
)

// monitorFlags say how zyre monitor shows the network.
type monitorFlags struct {
	web   string
	noAsk bool
}

func newMonitor(a *app) *cobra.Command {
	var f monitorFlags
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Show the network while it changes",
		Long: "Show who is there, in which groups, how far away and how busy, what happens, what is shouted\n" +
			"to the groups given by --group, and what was dropped and why. It is a picture in the terminal;\n" +
			"with --json one object for each event; with --web a page, for a browser on this host unless\n" +
			"told otherwise. Nothing can be changed from it.\n\n" +
			"Nodes that say so (SetShareView) are asked whom they see: a link that only one side sees is red.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.monitor(cmd.Context(), f) },
		Example: "  zyre monitor --group hall,kitchen     # in the terminal; q ends it\n" +
			"  zyre monitor --web 8080               # a page, at http://127.0.0.1:8080/\n" +
			"  zyre monitor --json                   # an object for each event",
	}
	cmd.Flags().StringVar(&f.web, "web", "", "serve a page at `HOST:PORT`; a PORT alone is on loopback, and port 0 any")
	cmd.Flags().BoolVar(&f.noAsk, "no-ask", false, "do not ask nodes for their view")
	return cmd
}

func (a *app) monitor(ctx context.Context, f monitorFlags) error {
	inTerminal := f.web == "" && !a.json
	if inTerminal && !(isTerminal(a.in) && isTerminal(a.out.w)) {
		return usageError{errors.New("zyre monitor needs a terminal; --json is for scripts, and --web for browsers")}
	}
	listener, host, err := listen(ctx, f.web)
	if err != nil {
		return err
	}
	if listener != nil {
		defer listener.Close() //nolint:errcheck // it has been served, or was never used
	}
	var stream *monitor.Stream
	set := func(node *zyre.Zyre) {
		stream = monitor.NewStream(monitor.NewModel(node.UUID(), time.Now()), time.Now)
		handler := monitor.LogHandler(stream)
		if !inTerminal {
			handler = slog.NewMultiHandler(a.logger().Handler(), handler)
		}
		node.SetLogger(slog.New(handler))
		for _, group := range a.groups {
			node.Join(group)
		}
	}
	return a.withNode(ctx, set, func(node *zyre.Zyre) error {
		ctx, cancel := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			monitor.Watch(ctx, node, stream, !f.noAsk)
		}()
		defer func() { <-watched }()
		defer cancel()
		return a.show(ctx, stream, listener, host)
	})
}

// show shows the stream in one way, or as a page and as lines.
func (a *app) show(ctx context.Context, stream *monitor.Stream, listener net.Listener, host string) error {
	switch {
	case listener == nil && a.json:
		return monitor.Lines(ctx, stream, a.out.object)
	case listener == nil:
		return monitor.Terminal(ctx, stream, a.in, a.out.w, a.out.color, "")
	}
	where := a.errOut
	if !a.json {
		where = a.out
	}
	if !monitor.IsLoopback(listener.Addr()) {
		if err := a.errOut.line("anybody who can reach %s sees all that this page shows", listener.Addr()); err != nil {
			return err
		}
	}
	if err := where.line("the network is at http://%s/", listener.Addr()); err != nil {
		return err
	}
	if !a.json {
		return monitor.Serve(ctx, listener, stream, host)
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- monitor.Serve(ctx, listener, stream, host)
	}()
	err := monitor.Lines(ctx, stream, a.out.object)
	cancel()
	return errors.Join(err, <-served)
}

// listen opens the page's address; without one there is no listener.
func listen(ctx context.Context, web string) (listener net.Listener, host string, err error) {
	if web == "" {
		return nil, "", nil
	}
	host, err = monitor.ListenAddress(web)
	if err != nil {
		return nil, "", usageError{fmt.Errorf("--web: %w", err)}
	}
	var config net.ListenConfig
	listener, err = config.Listen(ctx, "tcp", host)
	return listener, host, err
}
