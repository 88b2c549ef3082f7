package measure

import (
	"errors"
	"slices"
	"testing"
)

func numbered(size, seq, sender int) []byte {
	b := make([]byte, size)
	Number(b, seq, sender)
	return b
}

func TestTally_Add(t *testing.T) {
	message := func(seq, sender int) []byte { return numbered(10, seq, sender) }
	for name, test := range map[string]struct {
		messages [][]byte
		lost     int
	}{
		"in order":    {[][]byte{message(0, 0), message(0, 1), message(1, 1), message(1, 0)}, 0},
		"gap":         {[][]byte{message(0, 0), message(2, 0)}, 1},
		"twice":       {[][]byte{message(0, 0), message(0, 0)}, 1},
		"disorder":    {[][]byte{message(1, 0), message(0, 0)}, 1},
		"stranger":    {[][]byte{message(0, 2)}, 1},
		"far sender":  {[][]byte{message(0, -1)}, 1},
		"wrong size":  {[][]byte{message(0, 0)[:9]}, 1},
		"far too few": {[][]byte{{1}}, 1},
	} {
		tally := NewTally(2, 10)
		for _, m := range test.messages {
			tally.Add(m)
		}
		if tally.Lost != test.lost || tally.Messages != len(test.messages) {
			t.Errorf("%s: %d messages, lost %d, want %d and %d", name, tally.Messages, tally.Lost, len(test.messages), test.lost)
		}
	}
}

func TestSend(t *testing.T) {
	tally := NewTally(1, 20)
	send := func(payload []byte) error { tally.Add(payload); return nil }
	sent, err := Send(make([]byte, 20), func(sent int) bool { return sent < 5 }, send)
	if sent != 5 || err != nil || tally.Messages != 5 || tally.Lost != 0 {
		t.Errorf("Send = %d, %v, and %+v arrived, want 5 in order", sent, err, tally)
	}
	broken := errors.New("broken")
	if sent, err := Send(make([]byte, 20), func(int) bool { return true }, func([]byte) error { return broken }); sent != 0 || !errors.Is(err, broken) {
		t.Errorf("Send = %d, %v, want the error of what sends", sent, err)
	}
}

func TestRoundTrips(t *testing.T) {
	var last []byte
	rounds := 0
	send := func(payload []byte) error { last = slices.Clone(payload); return nil }
	receive := func() ([]byte, error) {
		if rounds++; rounds == 3 {
			last[0]++
		}
		return last, nil
	}
	trips, lost, err := RoundTrips(make([]byte, 10), 5, send, receive)
	if len(trips) != 5 || lost != 1 || err != nil || slices.Min(trips) < 0 {
		t.Errorf("RoundTrips = %v, %d, %v, want 5 trips of which one came back changed", trips, lost, err)
	}
	broken := errors.New("broken")
	if trips, _, err := RoundTrips(make([]byte, 10), 5, send, func() ([]byte, error) { return nil, broken }); len(trips) != 0 || !errors.Is(err, broken) {
		t.Errorf("RoundTrips = %v, %v, want the error of what receives", trips, err)
	}
}

func TestPercentile(t *testing.T) {
	v := make([]int, 1000)
	for i := range v {
		v[i] = i + 1
	}
	for percent, want := range map[int]int{0: 1, 1: 10, 50: 500, 99: 990, 100: 1000} {
		if got := Percentile(v, percent); got != want {
			t.Errorf("%d %% of 1 to 1000 = %d, want %d", percent, got, want)
		}
	}
	for percent, want := range map[int]int{0: 7, 50: 7, 51: 9, 99: 9, 100: 9} {
		if got := Percentile([]int{7, 9}, percent); got != want {
			t.Errorf("%d %% of 7 and 9 = %d, want %d", percent, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{1, 2}, 1.5}, {[]float64{1, 2, 9}, 2}} {
		if got := Median(test.of); got != test.want {
			t.Errorf("Median(%v) = %v, want %v", test.of, got, test.want)
		}
	}
}
