package monitor

import (
	"context"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// refreshInterval is the time between two pictures on the terminal.
const refreshInterval = 250 * time.Millisecond

// terminalEntries is how many entries the terminal looks at.
const terminalEntries = 500

// The views of the terminal.
const (
	viewPeers = iota
	viewGroups
	viewEvents
	viewMessages
	viewDropped
	viewCount
)

var viewNames = [viewCount]string{"Peers", "Groups", "Events", "Messages", "Dropped"}

// screen is what the terminal shows. It is told all by Update and has no state elsewhere.
type screen struct {
	stream *Stream
	note   string // where the page is
	color  bool

	state   *State
	entries []Entry
	width   int
	height  int
	view    int
	chosen  string // UUID of the node on which the cursor is
	open    bool   // its details are shown
	offset  int    // lines above those that are shown
	hex     bool
	paused  bool
	filter  string
	typing  bool // the filter is being typed
	ended   bool
}

// Terminal shows the stream on a terminal until the user quits, or ctx or the stream ends.
// Note stands in the first line.
func Terminal(ctx context.Context, s *Stream, in io.Reader, out io.Writer, color bool, note string) error {
	p := tea.NewProgram(&screen{stream: s, note: note, color: color, width: 80, height: 24},
		tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	_, err := p.Run()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// refresh is the time for a new picture.
type refresh struct{}

func nextRefresh() tea.Cmd {
	return tea.Tick(refreshInterval, func(time.Time) tea.Msg { return refresh{} })
}

// Init starts the pictures.
func (sc *screen) Init() tea.Cmd {
	sc.look()
	return nextRefresh()
}

// look takes a new picture from the stream.
func (sc *screen) look() {
	if sc.paused {
		return
	}
	sc.state, sc.entries = sc.stream.State(terminalEntries)
	sc.ended = sc.stream.Since(0, 0).IsEnd
}

// Update takes a key, a change of the terminal's size, or the time for a new picture.
func (sc *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case refresh:
		sc.look()
		if sc.ended {
			return sc, tea.Quit
		}
		return sc, nextRefresh()
	case tea.WindowSizeMsg:
		sc.width, sc.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if sc.typing {
			sc.typeFilter(msg)
			return sc, nil
		}
		if sc.press(msg.String()) {
			return sc, tea.Quit
		}
	}
	return sc, nil
}

// typeFilter takes a key while the filter is being typed.
func (sc *screen) typeFilter(key tea.KeyPressMsg) {
	switch key.String() {
	case "enter":
		sc.typing = false
	case "esc", "ctrl+c":
		sc.typing, sc.filter = false, ""
	case "backspace":
		runes := []rune(sc.filter)
		sc.filter = string(runes[:max(0, len(runes)-1)])
	default:
		if text := key.Key().Text; text != "" && len(sc.filter) < maxText {
			sc.filter += text
		}
	}
	sc.offset = 0
}

// press takes any other key, and reports whether the user wants to quit.
func (sc *screen) press(key string) (quit bool) {
	switch key {
	case "q", "ctrl+c":
		return true
	case "1", "2", "3", "4", "5":
		sc.turnTo(int(key[0] - '1'))
	case "tab", "right", "l":
		sc.turnTo((sc.view + 1) % viewCount)
	case "shift+tab", "left", "h":
		sc.turnTo((sc.view + viewCount - 1) % viewCount)
	case "up", "k":
		sc.move(-1)
	case "down", "j":
		sc.move(1)
	case "pgup":
		sc.move(-sc.page())
	case "pgdown", "space":
		sc.move(sc.page())
	case "home", "g":
		sc.move(-1 << 30)
	case "end", "G":
		sc.move(1 << 30)
	case "enter":
		sc.open = sc.view == viewPeers && !sc.open
	case "esc":
		sc.open, sc.filter = false, ""
	case "x":
		sc.hex = !sc.hex
	case "p":
		sc.paused = !sc.paused
	case "/":
		sc.typing, sc.filter = true, ""
	}
	return false
}

func (sc *screen) turnTo(view int) { sc.view, sc.offset, sc.open = view, 0, false }

// page is how many lines a page has.
func (sc *screen) page() int { return max(1, sc.height-5) }

// move moves the cursor among the peers, and other lists by lines.
func (sc *screen) move(by int) {
	if sc.view != viewPeers || sc.open {
		sc.offset = max(0, sc.offset+by) // View knows the end
		return
	}
	nodes := sc.shownNodes()
	if len(nodes) == 0 {
		return
	}
	at := 0
	for i, n := range nodes {
		if n.UUID == sc.chosen {
			at = i
		}
	}
	sc.chosen = nodes[min(max(at+by, 0), len(nodes)-1)].UUID
}

// shownNodes are the nodes that the filter lets pass.
func (sc *screen) shownNodes() []Node {
	if sc.state == nil || sc.filter == "" {
		if sc.state == nil {
			return nil
		}
		return sc.state.Nodes
	}
	var shown []Node
	for _, n := range sc.state.Nodes {
		if sc.passes(n.Name, n.UUID, n.Address, n.Presence, sc.groupNames(&n)) {
			shown = append(shown, n)
		}
	}
	return shown
}

// passes reports whether the filter stands in any of the texts.
func (sc *screen) passes(texts ...string) bool {
	want := strings.ToLower(sc.filter)
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), want) {
			return true
		}
	}
	return false
}

func (sc *screen) groupNames(n *Node) string {
	var names []string
	for _, g := range n.Groups {
		names = append(names, sc.state.Groups[g].Name)
	}
	return strings.Join(names, " ")
}

// View draws the picture.
func (sc *screen) View() tea.View {
	v := tea.NewView(strings.Join(sc.draw(), "\n"))
	v.AltScreen = true
	return v
}
