package monitor

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/go-zyre/zyre"
)

// The page in a browser: what it shows, and that it can be used by keys alone.
func TestPage_keys(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	n := newFakeNetwork(24, 1)
	for range 10 {
		n.step(time.Second)
	}
	n.talk()
	_, url := servePage(t, n)
	b.do(chromedp.EmulateViewport(1360, 820))
	b.prefer("prefers-color-scheme", "dark")
	b.open(url)
	b.wait(`document.getElementById("connection").textContent === "live"`)
	if got := eval[string](b, `document.getElementById("totals").textContent`); !strings.Contains(got, "24 peers") {
		t.Errorf("totals = %q, want 24 peers", got)
	}
	if got := eval[string](b, `document.documentElement.dataset.theme`); got != "dark" {
		t.Errorf("theme = %q, want dark as the user prefers", got)
	}
	b.press("t")
	b.wait(`document.documentElement.dataset.theme === "light"`)

	b.press("g")
	b.wait(`document.activeElement.id === "graph"`)
	b.press(kb.ArrowRight)
	b.wait(`monitor.app.selected === monitor.app.state.nodes[0].uuid`)
	b.press(kb.ArrowRight)
	b.wait(`monitor.app.selected !== monitor.app.state.nodes[0].uuid`)
	if got := eval[string](b, `document.getElementById("spoken").textContent`); !strings.Contains(got, "alive") {
		t.Errorf("spoken = %q, want the node that was chosen", got)
	}
	b.wait(`monitor.app.more && monitor.app.more.view`)
	b.press(kb.Enter)
	b.wait(`document.activeElement.closest("#detail") !== null`)
	b.wait(`document.getElementById("detail").textContent.includes("It sees 24 peers")`)
	b.press(kb.Escape)
	b.wait(`monitor.app.selected === null && document.getElementById("detail").hidden`)

	b.press("/")
	b.press("camera-2")
	b.wait(`document.querySelectorAll("#peer-list li").length === 1`)
	b.press(kb.Enter)
	b.wait(`monitor.app.state.nodes.find((n) => n.uuid === monitor.app.selected)?.name === "camera-2"`)
	b.press(kb.Escape)
	b.press("3")
	b.wait(`!document.getElementById("events").hidden && document.activeElement.id === "tab-events"`)
	b.press(kb.ArrowRight)
	b.wait(`!document.getElementById("messages").hidden`)
	b.wait(`document.getElementById("message-list").textContent.includes('{"sensor":0')`)
	b.press("x")
	b.wait(`document.getElementById("message-list").textContent.includes("7b 22 73 65 6e 73 6f 72")`)
	b.press("2")
	b.press(kb.ArrowDown)
	b.wait(`document.activeElement.closest("#group-list") !== null`)
	b.press(kb.Enter)
	b.wait(`monitor.app.group >= 0`)
	b.press("?")
	b.wait(`document.getElementById("keys").open`)
	b.press(kb.Escape)
	b.wait(`!document.getElementById("keys").open`)
}

// hostileNames are names that try to break out of the page, a terminal or a line.
var hostileNames = []string{
	`<img src=x onerror="window.pwned=1">`, `<script>window.pwned=1</script>`, `"><svg onload=window.pwned=1>`, `javascript:window.pwned=1`,
	"\x1b]0;pwned\a\x1b[31m", "\u202egpj.exe\u2066", "שלום-عربي", "\xff\xfe\xc0", strings.Repeat("\xf0\x9f\x92\xa9", 63) + "xyz",
	strings.Repeat("W", 255), "e" + strings.Repeat("\u0301", 100), "", "'; DROP TABLE", "__proto__", "constructor",
}

// hostileNetwork is a network in which all that can be chosen is hostile.
func hostileNetwork() *fakeNetwork {
	n := newFakeNetwork(len(hostileNames), 1)
	for i, name := range hostileNames {
		p := &n.peers[i]
		p.Name, p.Groups = name, []string{name, "control"}
		p.Endpoint = "tcp://" + name
		p.Headers = map[string]string{name: name, ShareHeader: "1"}
		n.model.Event(n.now, &zyre.Event{Type: "ENTER", PeerUUID: p.UUID, PeerName: name, PeerAddr: p.Endpoint, Headers: p.Headers})
		n.model.Event(n.now, &zyre.Event{Type: "SHOUT", PeerUUID: p.UUID, PeerName: name, Group: name, Msg: []byte(name), Frames: [][]byte{[]byte(name)}})
	}
	for range 10 {
		n.step(time.Second)
	}
	return n
}

// Nothing that strangers choose is more than text on the page.
func TestPage_hostileNames(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	n := hostileNetwork()
	_, url := servePage(t, n)
	b.do(chromedp.EmulateViewport(1360, 820))
	b.open(url)
	before := eval[int](b, `document.querySelectorAll("img, script, svg *[onload], iframe, a").length`)
	for _, tab := range []string{"1", "2", "3", "4", "5"} {
		b.press(tab)
	}
	for i := range hostileNames {
		b.do(chromedp.Evaluate[chromedp.Void](`monitor.app.select("` + fakeUUID(i) + `", true)`))
		b.wait(`monitor.app.more && monitor.app.more.uuid === "` + fakeUUID(i) + `"`)
	}
	b.press("1")
	b.wait(`document.querySelectorAll("#peer-list li").length === ` + "16")
	text := eval[string](b, `document.body.textContent`)
	for _, want := range []string{`<img src=x onerror="window.pwned=1">`, `\x1b]0;pwned\x07`, `\u202egpj.exe\u2066`, `\xff\xfe\xc0`, "שלום", "__proto__"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, bad := range []string{"\x1b", "\u202e", "\u2066", "\x07"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	if eval[bool](b, `window.pwned !== undefined`) {
		t.Error("a name has run as a script")
	}
	if after := eval[int](b, `document.querySelectorAll("img, script, svg *[onload], iframe, a").length`); after != before {
		t.Errorf("elements = %d, want %d as before", after, before)
	}
	if eval[int](b, `document.documentElement.scrollWidth`) > 1360 {
		t.Error("a name makes the page wider than the window")
	}
}

// On a phone nothing is wider than the screen, and fingers find what they need.
func TestPage_phone(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	n := hostileNetwork()
	_, url := servePage(t, n)
	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	b.open(url)
	if got := eval[int](b, `document.documentElement.scrollWidth`); got > 360 {
		t.Errorf("width = %d, want 360", got)
	}
	for _, id := range []string{"graph", "tab-peers", "tab-drops", "search", "legend", "theme"} {
		box := eval[[]float64](b, `(() => { const r = document.getElementById("`+id+`").getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom, r.height]; })()`)
		if box[0] < 0 || box[2] > 360.5 || box[1] < 0 || box[3] > 740 || box[4] < 24 {
			t.Errorf("%s is at %v, want on the screen and high enough for a finger", id, box)
		}
	}
	place := eval[[]float64](b, `(() => { const g = monitor.graph, r = g.canvas.getBoundingClientRect(), p = g.places[0]; return [r.left + p[0], r.top + p[1]]; })()`)
	b.do(chromedp.TapXY(place[0], place[1]))
	b.wait(`monitor.app.selected === monitor.app.state.nodes[0].uuid`)
}

// 200 peers that all tell whom they see: frames stay short, and the page follows.
func TestPage_many(t *testing.T) {
	b := newBrowser(t)
	n := newFakeNetwork(200, 1)
	n.disturb()
	for range 40 {
		n.step(time.Second)
	}
	s, url := servePage(t, n)
	b.do(chromedp.EmulateViewport(1600, 1000))
	b.open(url)
	if got := eval[int](b, `monitor.graph.nodes.length`); got != 202 {
		t.Errorf("nodes = %d, want 200, the monitor, and one that is hidden", got)
	}
	if got := eval[int](b, `monitor.graph.links.filter((l) => l.kind === 2).length`); got != 2 {
		t.Errorf("red links = %d, want 2", got)
	}
	close := eval[int](b, `(() => { const p = monitor.graph.layout.list; let n = 0; for (let i = 0; i < p.length; i++) for (let j = 0; j < i; j++) if (Math.hypot(p[i].x - p[j].x, p[i].y - p[j].y) < 12) n++; return n; })()`)
	if close > 4 {
		t.Errorf("pairs of nodes on top of each other = %d, want hardly any", close)
	}
	// What a frame costs, without the machine's other work: the shortest of many.
	cost := eval[float64](b, `(() => { let best = 1e9; for (let i = 0; i < 30; i++) { const t = performance.now(); monitor.graph.layout.warm(0.5); monitor.graph.layout.tick(); monitor.graph.draw(i * 40); best = Math.min(best, performance.now() - t); } return best; })()`)
	t.Logf("a frame takes %.1f ms", cost)
	if cost > 33 {
		t.Errorf("a frame takes %.1f ms, want less than 33", cost)
	}
	n.stats[9].Evasive = true
	n.step(time.Second)
	s.Sample(func(*Model, time.Time) {})
	b.wait(`monitor.app.state.nodes.filter((n) => n.presence === "evasive").length === 2`)
}

// The page does not grow, however long it follows.
func TestPage_longStream(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	n := newFakeNetwork(5, 0)
	n.step(time.Second)
	s, url := servePage(t, n)
	b.open(url)
	for i := range 15 {
		s.Event(func(m *Model, now time.Time) {
			for range 300 {
				m.Event(now, &zyre.Event{Type: "SHOUT", PeerUUID: n.peers[0].UUID, PeerName: "x", Group: "control", Msg: []byte("m"), Frames: [][]byte{[]byte("m")}})
			}
			if i == 14 {
				m.Event(now, &zyre.Event{Type: "LEADER", PeerUUID: n.peers[0].UUID, PeerName: "x", Group: "last"})
			}
		})
	}
	b.wait(`monitor.app.entries.some((e) => e.group === "last")`)
	sizes := eval[[]int](b, `[monitor.app.entries.length, document.getElementById("event-list").childElementCount, document.getElementById("message-list").childElementCount]`)
	if sizes[0] > 1000 || sizes[1] > 400 || sizes[2] > 400 {
		t.Errorf("kept %d entries, %d and %d rows, want 1000 and 400 at most", sizes[0], sizes[1], sizes[2])
	}
	s.End()
	b.wait(`document.getElementById("connection").textContent === "the monitor has stopped"`)
}
