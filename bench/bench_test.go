package main

import (
	"slices"
	"testing"

	"github.com/go-zyre/zyre/internal/measure"
)

func TestTally_add(t *testing.T) {
	for name, test := range map[string]struct {
		seqs []int
		lost int
		last bool
	}{"all": {[]int{0, 1}, 0, true}, "some": {[]int{0}, 0, false}, "gap": {[]int{0, 2}, 1, true}} {
		tally, last := newTally(1, params{Size: 10, Count: 2}), false
		for _, seq := range test.seqs {
			b := make([]byte, 10)
			measure.Number(b, seq, 0)
			last = tally.add(b)
		}
		if tally.Lost != test.lost || last != test.last || last && (tally.m.Count != 2 || tally.m.Lost != test.lost || tally.m.End < tally.m.Begin) {
			t.Errorf("%s: lost = %d, last = %v, report %+v, want %d, %v", name, tally.Lost, last, tally.m, test.lost, test.last)
		}
	}
}

func TestQuantiles(t *testing.T) {
	v := make([]float64, 1000)
	for i := range v {
		v[i] = float64(len(v) - i)
	}
	q := quantiles(v)
	for i, want := range map[int]float64{0: 1, 50: 500, 99: 990, 100: 1000} {
		if q[i] != want {
			t.Errorf("%d %% = %v, want %v", i, q[i], want)
		}
	}
	if !slices.IsSorted(q) {
		t.Error("quantiles are not in order")
	}
}

func TestSelected(t *testing.T) {
	for _, test := range []struct {
		only, name string
		want       bool
	}{
		{"", "round-trip", true},
		{"round", "round-trip", true},
		{"mesh,round", "round-trip", true},
		{"mesh,", "round-trip", false},
	} {
		if got := selected(test.only, test.name); got != test.want {
			t.Errorf("selected(%q, %q) = %v, want %v", test.only, test.name, got, test.want)
		}
	}
}

func TestProcessesFor(t *testing.T) {
	for _, test := range []struct{ nodes, inProcess, limit, want int }{
		{10, 1, 1024, 1},
		{50, 1, 20_000, 1},
		{200, 1, 20_000, 6},
		{200, overTCP, 20_000, 7},
		{200, 1, 1 << 20, 1},
		{200, 1, 100, 200},
	} {
		if got := processesFor(test.nodes, test.inProcess, test.limit); got != test.want {
			t.Errorf("processesFor(%d, %d, %d) = %d, want %d", test.nodes, test.inProcess, test.limit, got, test.want)
		}
	}
}
