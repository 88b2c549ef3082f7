package monitor

import (
	"fmt"
	"slices"
	"strings"
)

// groupLines are the groups with their members and leaders.
func (sc *screen) groupLines() (lines []string) {
	for i := range sc.state.Groups {
		g := &sc.state.Groups[i]
		if sc.filter != "" && !sc.passes(g.Name) {
			continue
		}
		head := sc.groupSign(g) + " " + sc.paint(colorBold, g.Name) + "  " + plural(g.Members, "member")
		if g.Leader != "" {
			head += "  ♛ " + sc.nodeName(g.Leader)
		}
		if g.IsOwn {
			head += "  (joined)"
		}
		lines = append(lines, head)
		var members []string
		for _, n := range sc.state.Nodes {
			for _, place := range n.Groups {
				if place == i {
					members = append(members, n.Name)
				}
			}
		}
		lines = append(lines, sc.wrap("    ", members)...)
	}
	if len(lines) == 0 {
		lines = []string{"No groups."}
	}
	return lines
}

// wrap puts words into lines that are no wider than the screen.
func (sc *screen) wrap(indent string, words []string) (lines []string) {
	line := ""
	for _, w := range words {
		switch next := line + "  " + w; {
		case line == "":
			line = indent + w
		case len(next) > sc.width:
			lines = append(lines, line)
			line = indent + w
		default:
			line = next
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// entryLines are the entries of the time line; of messages also what they say.
func (sc *screen) entryLines(wanted func(*Entry) bool, payload bool) (lines []string) {
	for i := range sc.entries {
		e := &sc.entries[i]
		if !wanted(e) || !sc.passesEntry(e) {
			continue
		}
		lines = append(lines, sc.entryLine(e))
		if payload {
			text := asText(e.Payload)
			if sc.hex {
				text = asHex(e.Payload)
			}
			if e.IsCut {
				text += " …"
			}
			lines = append(lines, "    "+text)
		}
	}
	if len(lines) == 0 {
		lines = []string{"Nothing yet."}
	}
	return lines
}

// newestLines are the newest entries, at most a number of them.
func (sc *screen) newestLines(most int) (lines []string) {
	for i := len(sc.entries) - 1; i >= 0 && len(lines) < most; i-- {
		if e := &sc.entries[i]; sc.passesEntry(e) {
			lines = append(lines, sc.entryLine(e))
		}
	}
	if len(lines) == 0 {
		return []string{"Nothing yet."}
	}
	slices.Reverse(lines)
	return lines
}

// passesEntry reports whether the filter lets an entry pass.
func (sc *screen) passesEntry(e *Entry) bool {
	return sc.filter == "" || sc.passes(e.Name, e.Type, e.Group, e.Reason, e.Peer)
}

func (sc *screen) entryLine(e *Entry) string {
	color := ""
	switch e.Type {
	case "ENTER", EntryHealed:
		color = colorGood
	case "EXIT", "EVASIVE", EntryDropped, EntryLog:
		color = colorWarn
	case "SILENT", EntryOneSided:
		color = colorWrong
	}
	parts := []string{sc.paint(colorDim, e.Time.Format("15:04:05.000")), sc.paint(color, fit(e.Type, 9))}
	if e.Peer != "" {
		name := e.Name
		if name == "" {
			name = e.Peer[:min(6, len(e.Peer))]
		}
		parts = append(parts, sc.paint(colorBold, name))
	}
	if e.Group != "" {
		parts = append(parts, "#"+e.Group)
	}
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	if e.Type == "ENTER" {
		parts = append(parts, e.Address)
	}
	if isMessage(e) {
		size := fmt.Sprintf("%d bytes", e.Bytes)
		if e.Frames > 1 {
			size += fmt.Sprintf(", %d frames", e.Frames)
		}
		parts = append(parts, size)
	}
	if e.Count > 0 {
		parts = append(parts, fmt.Sprintf("× %d", e.Count))
	}
	return strings.Join(parts, " ")
}

func (sc *screen) dropLines() (lines []string) {
	for _, d := range sc.state.Drops {
		lines = append(lines, fitRight(fmt.Sprint(d.Count), 9)+"  "+sc.paint(colorBold, fit(d.What, 16))+" "+d.Why)
	}
	if len(lines) == 0 {
		lines = []string{"Nothing was dropped."}
	}
	return lines
}

// detailLines are all that is known of the node under the cursor.
func (sc *screen) detailLines() (lines []string) {
	var n *Node
	for i := range sc.state.Nodes {
		if sc.state.Nodes[i].UUID == sc.chosen {
			n = &sc.state.Nodes[i]
		}
	}
	if n == nil {
		return []string{"This node is gone."}
	}
	fact := func(what, value string) {
		lines = append(lines, sc.paint(colorDim, fit(what, 13))+value)
	}
	lines = append(lines, sc.paint(colorBold, n.Name))
	fact("state", presenceSign(n.Presence)+" "+n.Presence)
	fact("uuid", n.UUID)
	fact("address", n.Address)
	fact("groups", sc.groupCell(n))
	if n.Presence != PresenceSelf {
		fact("round trip", rttText(n.RTT))
		fact("heard", durationText(n.Idle)+" ago")
		fact("messages", fmt.Sprintf("%d received (%s/s), %d sent (%s/s), %d waiting", n.Received, rateText(n.In), n.Sent, rateText(n.Out), n.Waiting))
	}
	d, ok := sc.stream.Detail(n.UUID)
	if !ok {
		return lines
	}
	if d.PublicKey != "" {
		fact("key", d.PublicKey)
	}
	for i, h := range d.Headers {
		what := ""
		if i == 0 {
			what = "headers"
		}
		fact(what, h.Name+": "+h.Value)
	}
	if d.View != nil {
		lines = append(lines, sc.viewLines(d.View)...)
	}
	return lines
}

// viewLines are whom a node says it sees.
func (sc *screen) viewLines(v *ViewInfo) []string {
	lines := []string{"", fmt.Sprintf("It sees %s; it has received %d messages and sent %d; %d gaps, %d pauses, %d waits, %d unsent.",
		plural(v.Peers, "peer"), v.Received, v.Sent, v.Gaps, v.Pauses, v.Waits, v.Unsent)}
	for _, l := range v.Links {
		name := l.Name
		if name == "" {
			name = l.UUID[:6]
		}
		line := "  " + fit(name, 24) + fitRight(rttText(l.RTT), 8) + fitRight(rateText(l.Rate)+"/s", 10)
		switch {
		case l.Kind == LinkOneSided:
			line = sc.paint(colorWrong, line+"  ! does not see it")
		case l.IsEvasive:
			line = sc.paint(colorWarn, line+"  evasive")
		}
		lines = append(lines, line)
	}
	return lines
}
