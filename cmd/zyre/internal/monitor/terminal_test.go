package monitor

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// newScreen is the screen of a network.
func newScreen(n *fakeNetwork, width, height int) *screen {
	sc := &screen{stream: NewStream(n.model, func() time.Time { return n.now }), width: width, height: height}
	sc.Init()
	return sc
}

// keys presses keys, by their names.
func (sc *screen) keys(names ...string) (quit bool) {
	special := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab,
		"pgdown": tea.KeyPgDown, "end": tea.KeyEnd, "home": tea.KeyHome, "backspace": tea.KeyBackspace}
	for _, name := range names {
		key := tea.KeyPressMsg{Text: name, Code: []rune(name)[0]}
		if code, ok := special[name]; ok {
			key = tea.KeyPressMsg{Code: code}
		}
		if name == "ctrl+c" {
			key = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
		}
		_, cmd := sc.Update(key)
		quit = cmd != nil
	}
	return quit
}

func (sc *screen) text() string { return strings.Join(sc.draw(), "\n") }

// checkText fails the test unless a text has all the others in it.
func checkText(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not show %q:\n%s", what, w, text)
		}
	}
}

// What each view of the terminal shows.
func TestScreen_views(t *testing.T) {
	n := newFakeNetwork(24, 1)
	for range 10 {
		n.step(time.Second)
	}
	n.disturb()
	n.talk()
	for range 15 {
		n.step(time.Second)
	}
	sc := newScreen(n, 120, 44)
	checkText(t, "peers", sc.text(), "24 peers", "2 evasive or silent", "! 2 one-sided", "! 1 seen by others only",
		"arm-1", "tcp://10.1.0.4:49154", "550µs", "silent", "evasive", "hidden", "control♛", "WHISPER")
	sc.keys("2")
	checkText(t, "groups", sc.text(), "control  5 members  ♛ arm-1", "(joined)", "camera-1  camera-2")
	sc.keys("tab")
	checkText(t, "events", sc.text(), "[3 Events]", "ONE-SIDED", "sees robot-1, which does not see it", "× 12")
	sc.keys("4")
	checkText(t, "messages", sc.text(), "#control 27 bytes", `{"sensor":0,"celsius":18.0}`, `\x1b[31mhello\x00`, "2 frames")
	sc.keys("x")
	checkText(t, "messages in hex", sc.text(), "7b 22 73 65 6e 73 6f 72", "1b 5b 33 31 6d")
	sc.keys("5")
	checkText(t, "dropped", sc.text(), "12  KeysRefused", "TCP from them or to them is blocked")
	sc.keys("1", "home", "down", "enter")
	checkText(t, "details", sc.text(), "arm-1", fakeUUID(2), "X-KIND: arm", "It sees")
	sc.keys("esc", "/", "d", "i", "s", "x", "backspace", "k", "enter")
	if got := len(sc.shownNodes()); got != 3 {
		t.Errorf("found %d nodes, want the 3 disks:\n%s", got, sc.text())
	}
	sc.keys("esc")
	if got := len(sc.shownNodes()); got != 26 {
		t.Errorf("all nodes = %d, want 26", got)
	}
	if sc.keys("p") || !sc.paused || sc.keys("p") {
		t.Error("p does not pause")
	}
	if !sc.keys("q") || !sc.keys("ctrl+c") {
		t.Error("q or ctrl+c does not quit")
	}
}

// On every size of terminal each line fits, and every key is harmless.
func TestScreen_sizes(t *testing.T) {
	t.Parallel()
	n := hostileNetwork()
	n.disturb()
	n.talk()
	n.step(time.Second)
	all := []string{"1", "2", "3", "4", "5", "x", "down", "down", "pgdown", "end", "up", "home", "enter", "pgdown", "esc", "tab", "/", "q", "enter", "esc"}
	for _, size := range [][2]int{{1, 1}, {9, 3}, {10, 4}, {20, 5}, {40, 10}, {80, 24}, {200, 60}} {
		for _, color := range []bool{false, true} {
			sc := newScreen(n, 80, 24)
			sc.color = color
			sc.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			for _, key := range all {
				sc.keys(key)
				lines := sc.draw()
				if len(lines) > size[1] {
					t.Fatalf("%v after %q: %d lines", size, key, len(lines))
				}
				for _, line := range lines {
					if w := ansi.StringWidth(line); w > size[0] {
						t.Errorf("%v after %q: %d cells in %q", size, key, w, line)
					}
				}
			}
		}
	}
}

// Nothing that strangers choose controls the terminal, and columns stay in line.
func TestScreen_hostile(t *testing.T) {
	t.Parallel()
	n := hostileNetwork()
	sc := newScreen(n, 130, 60)
	for _, view := range []string{"1", "2", "3", "4", "5"} {
		sc.keys(view)
		for _, line := range sc.draw() {
			for _, r := range line {
				if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
					t.Errorf("view %s has %q in %q", view, r, line)
				}
			}
		}
	}
	sc.keys("1")
	checkText(t, "peers", sc.text(), `\x1b]0;pwned\x07`, `\u202egpj.exe`, `\xff\xfe\xc0`, "שלום")
	var widths []int
	for _, line := range sc.peerLines(sc.shownNodes()) {
		widths = append(widths, ansi.StringWidth(line))
	}
	if slices.Min(widths) != slices.Max(widths) {
		t.Errorf("widths of rows = %v, want all the same", widths)
	}
}

// 200 peers can be walked through, and the cursor is always to be seen.
func TestScreen_many(t *testing.T) {
	t.Parallel()
	n := newFakeNetwork(200, 0)
	n.step(time.Second)
	sc := newScreen(n, 100, 24)
	seen := map[string]bool{}
	for range 210 {
		sc.keys("down")
		if strings.Count(sc.text(), "\n>") != 1 {
			t.Fatalf("no cursor on the screen:\n%s", sc.text())
		}
		seen[sc.chosen] = true
	}
	if len(seen) != 200 {
		t.Errorf("walked through %d nodes, want the 200 below the first", len(seen))
	}
	sc.keys("enter")
	n.stats, n.peers = n.stats[:10], n.peers[:10]
	n.rates = n.rates[:10]
	sc.stream.Sample(func(*Model, time.Time) { n.step(time.Second) })
	sc.Update(refresh{})
	checkText(t, "details of a node that has gone", sc.text(), "This node is gone.")
	sc.stream.End()
	if _, cmd := sc.Update(refresh{}); cmd == nil {
		t.Error("the end of the stream does not end the terminal")
	}
}
