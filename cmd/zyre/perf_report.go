package main

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"strings"
)

func (r *perfResult) table() [][]string {
	rows := [][]string{
		{"MEASURED", "VALUE", ""},
		{"time to discover", fmt.Sprintf("%.1f ms", r.DiscoverMS), ""},
	}
	for _, w := range r.Whispers {
		rows = append(rows, []string{"whispers of " + sizeName(w.Size), fmt.Sprintf("%.0f/s", w.PerSecond), fmt.Sprintf("%.1f MB/s", w.MBPS)})
	}
	t := r.RoundTrip
	rows = append(rows, []string{"round trip of " + sizeName(t.Size), fmt.Sprintf("%.3f ms median", t.P50), fmt.Sprintf("min %.3f, 90 %% %.3f, 99 %% %.3f, max %.3f", t.Min, t.P90, t.P99, t.Max)})
	return append(rows, []string{fmt.Sprintf("shouts of %s to %d", sizeName(r.Shouts.Size), r.Shouts.Receivers), fmt.Sprintf("%.0f/s", r.Shouts.PerSecond), fmt.Sprintf("%.1f MB/s", r.Shouts.MBPS)})
}

// sizeName is a number of bytes in words.
func sizeName(bytes int) string {
	switch {
	case bytes >= 1_000_000 && bytes%100_000 == 0:
		return strings.Replace(fmt.Sprintf("%.1f MB", float64(bytes)/1e6), ".0 ", " ", 1)
	case bytes >= 1000 && bytes%100 == 0:
		return strings.Replace(fmt.Sprintf("%.1f kB", float64(bytes)/1e3), ".0 ", " ", 1)
	}
	return fmt.Sprintf("%d B", bytes)
}

// perfBar is one bar of a plot; its length is of 100.
type perfBar struct {
	Label, Value string
	Y, Length    float64
}

// bars makes a plot of values, on a logarithmic scale if they are far apart.
func bars(labels []string, values []float64, format string) (plot []perfBar) {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	for i, v := range values {
		length := 100 * v / most
		if most > 20*least && least > 0 {
			length = 5 + 95*math.Log(v/least)/math.Log(most/least)
		}
		plot = append(plot, perfBar{labels[i], fmt.Sprintf(format, v), float64(i) * 28, length})
	}
	return plot
}

// page is the result as a page of HTML that stands alone.
func (r *perfResult) page() ([]byte, error) {
	var labels []string
	var rates, bandwidths []float64
	for _, w := range r.Whispers {
		labels, rates, bandwidths = append(labels, sizeName(w.Size)), append(rates, w.PerSecond), append(bandwidths, w.MBPS)
	}
	t := r.RoundTrip
	type plot struct {
		Title  string
		Height float64
		Bars   []perfBar
	}
	plots := []plot{
		{"Whispers a second, by size", 0, bars(labels, rates, "%.0f/s")},
		{"Megabytes a second, by size", 0, bars(labels, bandwidths, "%.1f MB/s")},
		{"Round trip", 0, bars([]string{"least", "median", "90 %", "99 %", "most"}, []float64{t.Min, t.P50, t.P90, t.P99, t.Max}, "%.3f ms")},
	}
	for i := range plots {
		plots[i].Height = float64(len(plots[i].Bars))*28 + 4
	}
	var b bytes.Buffer
	err := perfPage.Execute(&b, map[string]any{
		"Result": r, "When": r.Time.Format("2006-01-02 15:04 MST"), "Rows": r.table()[1:], "Plots": plots,
		"Peers": safe(strings.Join(r.Peers, ", ")),
	})
	return b.Bytes(), err
}

var perfPage = template.Must(template.New("perf").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>zyre perf</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td { padding: .25rem .5rem; border-bottom: 1px solid #8884; }
@media (max-width: 36rem) { text { font-size: 22px; } td { padding: .25rem; font-size: 14px; } }
td:nth-child(2), td:nth-child(3) { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; }
text { fill: currentColor; font-size: 14px; }
rect { fill: #2f6fb3; }
</style>
<h1>zyre perf</h1>
<p>{{.When}}, with {{.Peers}} at {{.Result.Endpoint}}. {{.Result.System}}.</p>
<table>{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
{{range .Plots}}<h2>{{.Title}}</h2>
<svg viewBox="0 0 640 {{.Height}}" role="img" aria-label="{{.Title}}">
{{range .Bars}}<g transform="translate(0 {{.Y}})"><text x="80" y="19" text-anchor="end">{{.Label}}</text>
<svg x="90" width="420" height="26" viewBox="0 0 100 26" preserveAspectRatio="none"><rect y="3" width="{{.Length}}" height="20"/></svg>
<text x="520" y="19">{{.Value}}</text></g>
{{end}}</svg>
{{end}}<p>Bars of values that are far apart have a logarithmic scale.</p>
</html>
`))
