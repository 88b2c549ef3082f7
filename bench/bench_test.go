package main

import (
	"slices"
	"testing"
)

func TestTally_add(t *testing.T) {
	message := func(seq, sender int) []byte {
		b := make([]byte, 10)
		number(b, seq, sender)
		return b
	}
	tests := map[string]struct {
		messages [][]byte
		lost     int
		last     bool
	}{
		"all":         {[][]byte{message(0, 0), message(0, 1), message(1, 1), message(1, 0)}, 0, true},
		"some":        {[][]byte{message(0, 0), message(0, 1), message(1, 1)}, 0, false},
		"gap":         {[][]byte{message(0, 0), message(2, 0)}, 1, false},
		"twice":       {[][]byte{message(0, 0), message(0, 0)}, 1, false},
		"disorder":    {[][]byte{message(1, 0), message(0, 0)}, 1, false},
		"stranger":    {[][]byte{message(0, 2)}, 1, false},
		"wrong size":  {[][]byte{message(0, 0)[:9]}, 1, false},
		"far too few": {[][]byte{{1}}, 1, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tally, last := newTally(2, params{Size: 10, Count: 2}), false
			for _, m := range test.messages {
				last = tally.add(m)
			}
			if tally.m.Lost != test.lost || last != test.last {
				t.Errorf("lost = %d, last = %v, want %d, %v", tally.m.Lost, last, test.lost, test.last)
			}
		})
	}
}

func TestQuantiles(t *testing.T) {
	v := make([]float64, 1000)
	for i := range v {
		v[i] = float64(len(v) - i)
	}
	q := quantiles(v)
	for i, want := range map[int]float64{0: 1, 50: 501, 99: 991, 100: 1000} {
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
