package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"

	"golang.org/x/term"
)

// printer writes whole lines, of text or of JSON. Any number of goroutines may use it.
type printer struct {
	json  bool // set before it is used
	color bool // whether lines may be coloured

	mu  sync.Mutex
	w   io.Writer
	err error // the first failure to write; nothing is written after it
}

// newPrinter returns a printer that colours if it writes to a terminal and the environment
// does not forbid it (NO_COLOR, TERM=dumb).
func newPrinter(w io.Writer) *printer {
	return &printer{w: w, color: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// isTerminal reports whether w or r is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Write writes bytes as they are.
func (p *printer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
	return len(b), p.err
}

// line writes a line of text. What comes from peers in it must be safe.
func (p *printer) line(format string, args ...any) error {
	_, err := io.WriteString(p, fmt.Sprintf(format, args...)+"\n")
	return err
}

// object writes a line of JSON.
func (p *printer) object(v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // keys of CURVE have < and &
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := p.Write(append(safeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), '\n'))
	return err
}

// table writes rows in columns. The first row is the heading. All cells are made safe.
func (p *printer) table(rows [][]string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, safe(cell))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var lines strings.Builder
	for line := range strings.Lines(b.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(p, lines.String())
	return err
}

// The colours that are used; a terminal draws them as its user likes.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	dim    = "2"
)

// paint returns a text in a colour, if the printer may use any.
func (p *printer) paint(color, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
