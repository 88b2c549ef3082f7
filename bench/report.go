package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/measure"
)

// report is what the JSON file holds.
type report struct {
	Time    time.Time `json:"time"`
	Machine machine   `json:"machine"`
	Short   bool      `json:"short"`
	Results []*result `json:"results"`
}

type machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Libzmq string `json:"libzmq"`
	Zmq4   string `json:"zmq4"`
	Zyre   string `json:"zyre"` // commit
}

// result is one measurement: for each side the samples of all runs.
type result struct {
	Name  string              `json:"name"`
	Sides map[string][]sample `json:"sides"`

	order []string // of the sides
}

// sample is what one run of one side gave.
type sample struct {
	Metrics []metric `json:"metrics"`
	// Quantiles are the latencies in µs at 0, 1, … 100 %, where there are any.
	Quantiles []float64 `json:"quantiles,omitempty"`
}

type metric struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

func newReport(o options) *report {
	major, minor, patch := zmq.Version()
	m := machine{
		CPU: cpuModel(), CPUs: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: firstLine("uname", "-r"), Go: runtime.Version(),
		Libzmq: fmt.Sprintf("%d.%d.%d", major, minor, patch),
		Zyre:   firstLine("git", "describe", "--always", "--dirty"),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/pebbe/zmq4" {
				m.Zmq4 = d.Version
			}
		}
	}
	return &report{Time: time.Now().UTC(), Machine: m, Short: o.short}
}

func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (r *report) write(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func (r *report) begin(name string) *result {
	res := &result{Name: name, Sides: map[string][]sample{}}
	r.Results = append(r.Results, res)
	return res
}

func (r *result) add(side string, s sample) {
	if !slices.Contains(r.order, side) {
		r.order = append(r.order, side)
	}
	r.Sides[side] = append(r.Sides[side], s)
}

// values are all samples of one metric of one side, in order of size.
func (r *result) values(side, name string) (v []float64) {
	for _, s := range r.Sides[side] {
		for _, m := range s.Metrics {
			if m.Name == name {
				v = append(v, m.Value)
			}
		}
	}
	slices.Sort(v)
	return v
}

// print writes a row for each metric: median and range of each side, and the
// ratio of the medians of the first side to those of the others.
func (r *result) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintf(t, "\n%s\t", r.Name)
	for _, side := range r.order {
		fmt.Fprintf(t, "%s\t", side)
	}
	for _, side := range r.order[1:] {
		fmt.Fprintf(t, "/%s\t", side)
	}
	fmt.Fprintln(t)
	for _, m := range r.Sides[r.order[0]][0].Metrics {
		fmt.Fprintf(t, "  %s\t", strings.TrimSpace(m.Name+" "+m.Unit))
		var first float64
		var ratios []string
		for i, side := range r.order {
			v := r.values(side, m.Name)
			if len(v) == 0 {
				fmt.Fprint(t, "\t")
				ratios = append(ratios, "")
				continue
			}
			mid := measure.Median(v)
			fmt.Fprintf(t, "%s (%s–%s)\t", short(mid), short(v[0]), short(v[len(v)-1]))
			if i == 0 {
				first = mid
			} else {
				ratios = append(ratios, ratio(first, mid))
			}
		}
		fmt.Fprintf(t, "%s\n", strings.Join(ratios, "\t"))
	}
}

func ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// quantiles are the values at 0, 1, … 100 %.
func quantiles(v []float64) []float64 {
	v = slices.Sorted(slices.Values(v))
	q := make([]float64, 101)
	for i := range q {
		q[i] = measure.Percentile(v, i)
	}
	return q
}

// short writes a number with three significant digits.
func short(v float64) string {
	switch {
	case v >= 999_500:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + " M"
	case v >= 9995:
		return strconv.FormatFloat(v/1000, 'g', 3, 64) + " k"
	case v >= 999.5:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
