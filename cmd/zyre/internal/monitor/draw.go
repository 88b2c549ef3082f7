package monitor

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// The colours of the terminal, as its user has set them.
const (
	colorGood   = "32"
	colorWarn   = "33"
	colorWrong  = "31"
	colorBold   = "1"
	colorDim    = "2"
	colorCursor = "7" // reverse
	colorTab    = "1;7"
)

// groupColors tell groups apart, besides their letters.
var groupColors = []string{"34", "33", "32", "35", "36", "93", "94", "95"}

// groupSigns stand for groups where there is no room for names; each has one of its own,
// for who cannot tell colours apart.
const groupSigns = "●■▲◆⬢★✚⬟○□△◇⬡☆✛⬠"

// paint returns a text in a colour.
func (sc *screen) paint(color, text string) string {
	if !sc.color || text == "" || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// fit cuts or fills a text to a width in cells.
func fit(text string, width int) string {
	if width <= 0 {
		return ""
	}
	text = ansi.Truncate(text, width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// fitRight is fit with the text on the right.
func fitRight(text string, width int) string {
	text = ansi.Truncate(text, width, "…")
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(text))) + text
}

// draw returns the lines of the screen, none wider than it and not more than fit.
func (sc *screen) draw() []string {
	if sc.state == nil || sc.width < 10 || sc.height < 4 {
		return []string{fit("zyre monitor", sc.width)}
	}
	lines := []string{sc.headline(), sc.tabs()}
	room := sc.height - 3
	var body []string
	switch {
	case sc.view == viewPeers && sc.open:
		body = sc.scroll(sc.detailLines(), room, false)
	case sc.view == viewPeers:
		body = sc.peersAndEvents(room)
	case sc.view == viewGroups:
		body = sc.scroll(sc.groupLines(), room, false)
	case sc.view == viewEvents:
		body = sc.scroll(sc.entryLines(func(*Entry) bool { return true }, false), room, true)
	case sc.view == viewMessages:
		body = sc.scroll(sc.entryLines(isMessage, true), room, true)
	default:
		body = sc.scroll(sc.dropLines(), room, false)
	}
	for len(body) < room {
		body = append(body, "")
	}
	lines = append(append(lines, body[:room]...), sc.footer())
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], sc.width, "")
	}
	return lines
}

func (sc *screen) headline() string {
	t := &sc.state.Totals
	parts := []string{
		sc.paint(colorBold, "zyre monitor"), sc.state.Nodes[0].Name, plural(t.Peers, "peer"), plural(t.Groups, "group"),
		rateText(t.In+t.Out) + " messages/s",
	}
	if t.Evasive > 0 {
		parts = append(parts, sc.paint(colorWarn, fmt.Sprintf("%d evasive or silent", t.Evasive)))
	}
	if t.OneSided > 0 {
		parts = append(parts, sc.paint(colorWrong, fmt.Sprintf("! %d one-sided", t.OneSided)))
	}
	if t.Hidden > 0 {
		parts = append(parts, sc.paint(colorWrong, fmt.Sprintf("! %d seen by others only", t.Hidden)))
	}
	if t.IsPaused {
		parts = append(parts, sc.paint(colorWrong, "the monitor does not keep up"))
	}
	if sc.note != "" {
		parts = append(parts, sc.note)
	}
	return strings.Join(parts, "  ")
}

func (sc *screen) tabs() string {
	var b strings.Builder
	for i, name := range viewNames {
		text := fmt.Sprintf(" %d %s ", i+1, name)
		switch {
		case i == sc.view && sc.color:
			text = sc.paint(colorTab, text)
		case i == sc.view:
			text = "[" + strings.TrimSpace(text) + "]"
		}
		b.WriteString(text + " ")
	}
	return b.String()
}

func (sc *screen) footer() string {
	if sc.typing {
		return "/" + Printable(sc.filter) + "_"
	}
	help := "q quit  1-5 view  ↑↓ move  enter details  / find  x hex  p pause"
	if sc.filter != "" {
		help = "/" + Printable(sc.filter) + "  (esc: all)   " + help
	}
	if sc.paused {
		return sc.paint(colorWarn, "paused") + "  " + help
	}
	return sc.paint(colorDim, help)
}

// scroll returns the lines that are shown: from the offset on or, of a log, counted from
// its end.
func (sc *screen) scroll(lines []string, room int, fromEnd bool) []string {
	sc.offset = min(sc.offset, max(0, len(lines)-room))
	first := sc.offset
	if fromEnd {
		first = max(0, len(lines)-room) - sc.offset
		first = max(0, first)
	}
	return lines[first:min(len(lines), first+room)]
}

// peersAndEvents is the table of peers, and below it the newest events where there is room.
// It makes no lines but those that are shown: it is drawn four times a second.
func (sc *screen) peersAndEvents(room int) []string {
	nodes := sc.shownNodes()
	below := 0
	if room >= 16 {
		below = max(room/3, room-len(nodes)-2)
	}
	rows := room - below - 1 // beside the heading
	at := 0
	for i, n := range nodes {
		if n.UUID == sc.chosen {
			at = i
		}
	}
	first := min(max(0, at-rows/2), max(0, len(nodes)-rows))
	body := sc.peerLines(nodes[first:min(len(nodes), first+rows)])
	if below == 0 {
		return body
	}
	for len(body) < room-below {
		body = append(body, "")
	}
	body = append(body, sc.paint(colorDim, strings.Repeat("─", sc.width)))
	return append(body, sc.newestLines(below-1)...)
}

// peerLines is the table of peers, with its heading.
func (sc *screen) peerLines(nodes []Node) []string {
	nameWidth, addressWidth := min(24, max(10, sc.width/5)), 0
	if sc.width >= 100 {
		addressWidth = 26
	}
	groupWidth := max(6, sc.width-nameWidth-addressWidth-45)
	row := func(sign, name, address, rtt, in, out, idle, state, groups string) string {
		cells := []string{fit(sign, 1), fit(name, nameWidth)}
		if addressWidth > 0 {
			cells = append(cells, fit(address, addressWidth))
		}
		return strings.Join(append(cells, fitRight(rtt, 7), fitRight(in, 6), fitRight(out, 6), fitRight(idle, 6), fit(state, 7), fit(groups, groupWidth)), " ")
	}
	lines := []string{sc.paint(colorDim, row("", "name", "address", "trip", "in/s", "out/s", "heard", "state", "groups"))}
	for i := range nodes {
		n := &nodes[i]
		name, idle, trip := n.Name, durationText(n.Idle), rttText(n.RTT)
		if n.Presence == PresenceSelf {
			idle, trip = "", ""
		}
		line := row(presenceSign(n.Presence), name, n.Address, trip, rateText(n.In), rateText(n.Out), idle, n.Presence, sc.groupCell(n))
		switch {
		case n.UUID == sc.chosen:
			line = sc.paint(colorCursor, ansi.Strip(line))
			if !sc.color {
				line = ">" + line[min(len(line), len(presenceSign(n.Presence))):]
			}
		case n.Presence == PresenceEvasive:
			line = sc.paint(colorWarn, ansi.Strip(line))
		case n.Presence == PresenceSilent, n.Presence == PresenceHidden:
			line = sc.paint(colorWrong, ansi.Strip(line))
		}
		lines = append(lines, line)
	}
	return lines
}

func presenceSign(presence string) string {
	switch presence {
	case PresenceSelf:
		return "◉"
	case PresenceAlive:
		return "●"
	case PresenceEvasive:
		return "◐"
	case PresenceSilent:
		return "○"
	}
	return "?"
}

// groupCell names the groups of a node, each with its sign.
func (sc *screen) groupCell(n *Node) string {
	var parts []string
	for _, i := range n.Groups {
		g := &sc.state.Groups[i]
		text := sc.groupSign(g) + " " + g.Name
		if g.Leader == n.UUID {
			text += "♛"
		}
		parts = append(parts, text)
	}
	if more := n.AllGroups - len(n.Groups); more > 0 {
		parts = append(parts, fmt.Sprintf("+%d", more))
	}
	return strings.Join(parts, "  ")
}

func (sc *screen) groupSign(g *Group) string {
	signs := []rune(groupSigns)
	return sc.paint(groupColors[g.Slot%len(groupColors)], string(signs[g.Slot%len(signs)]))
}

// nodeName returns the name of a node by its UUID.
func (sc *screen) nodeName(uuid string) string {
	for i := range sc.state.Nodes {
		if sc.state.Nodes[i].UUID == uuid && sc.state.Nodes[i].Name != "" {
			return sc.state.Nodes[i].Name
		}
	}
	return uuid[:min(6, len(uuid))]
}

func isMessage(e *Entry) bool { return e.Type == "SHOUT" || e.Type == "WHISPER" }

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func rttText(us int64) string {
	switch {
	case us <= 0:
		return "-"
	case us < 1000:
		return fmt.Sprintf("%dµs", us)
	case us < 10_000:
		return fmt.Sprintf("%.1fms", float64(us)/1e3)
	case us < 1e6:
		return fmt.Sprintf("%dms", us/1000)
	}
	return fmt.Sprintf("%.1fs", float64(us)/1e6)
}

func rateText(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "0"
	case perSecond < 9.95:
		return fmt.Sprintf("%.1f", perSecond)
	case perSecond < 9995:
		return fmt.Sprintf("%.0f", perSecond)
	}
	return fmt.Sprintf("%.0fk", perSecond/1000)
}

func durationText(ms int64) string {
	d := (time.Duration(ms) * time.Millisecond).Round(time.Second)
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%dmin", d/time.Minute)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
