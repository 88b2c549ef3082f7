package monitor

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browserPatience is how long a step in the browser may take.
const browserPatience = 60 * time.Second

// browser is one tab of a headless Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// newBrowser starts Chromium, or skips the test where there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here: make deps-test installs it where there is one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(browserPatience))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t, ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

// do runs steps one after the other.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(steps...))
}

// run runs one step and returns its value.
func run[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	value, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
	return value
}

// eval evaluates an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](expression))
}

// wait waits until a condition holds in the page.
func (b *browser) wait(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](
		"new Promise((done) => { const look = () => ("+condition+") ? done(true) : setTimeout(look, 20); look(); })", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("in the browser: waiting for %s: %v", condition, err)
	}
}

// open opens a page and waits until its graph has come to rest.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.wait(`window.monitor && monitor.graph.nodes.length > 0 && monitor.graph.layout.isAtRest`)
}

// prefer sets what the user of the browser prefers, such as prefers-color-scheme.
func (b *browser) prefer(feature, value string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (void chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return void, err
	})
}

// press presses keys as a keyboard does: a key that the page takes for itself is not typed
// as well.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (void chromedp.Void, err error) {
		for _, key := range keys {
			events := kb.Encode(key)
			down, up := *events[0], *events[len(events)-1]
			if len(events) == 3 {
				down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			}
			for _, e := range []input.DispatchKeyEventParams{down, up} {
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, e); err != nil {
					return void, err
				}
			}
		}
		return void, nil
	})
}

// servePage serves the page of a network, and returns its stream and address.
func servePage(t *testing.T, n *fakeNetwork) (*Stream, string) {
	t.Helper()
	s := NewStream(n.model, func() time.Time { return n.now })
	server := httptest.NewServer(NewHandler(s, "127.0.0.1"))
	t.Cleanup(server.Close)
	t.Cleanup(s.End) // before it: viewers leave
	s.Sample(func(*Model, time.Time) {})
	return s, server.URL + "/"
}
