package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSummary_read(t *testing.T) {
	lines := `{"Action":"run","Package":"p","Test":"TestOK"}
{"Action":"output","Package":"p","Test":"TestOK","Output":"=== RUN   TestOK\n"}
{"Action":"output","Package":"p","Test":"TestOK","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestOK","Elapsed":61.2}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"    p_test.go:8: no root\n"}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"--- SKIP: TestSkip (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestSkip"}
{"Action":"output","Package":"p","Test":"TestBad/one","Output":"    p_test.go:9: one is wrong\n"}
{"Action":"fail","Package":"p","Test":"TestBad/one"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestHang","Output":"panic: timed out\n"}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1:1: syntax error\n"}
not JSON
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	var out bytes.Buffer
	s := newSummary(&out)
	if err := s.read(strings.NewReader(lines)); err != nil {
		t.Fatalf("read() = %v, want nil", err)
	}
	s.print(time.Second)
	for _, want := range []string{
		"one is wrong\n", "q.go:1:1: syntax error\n", "not JSON\n", "FAIL\tp\t0.1s\n",
		"unfinished: p.TestHang\npanic: timed out\n", "  p.TestSkip: p_test.go:8: no root\n",
		"\n    61 s  p.TestOK\n",
		"\ntests: 1 passed, 2 failed, 1 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("print() = %q, want it to have %q", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "quiet") {
		t.Errorf("print() = %q, want no output of a test that passed", out.String())
	}
}

func TestSummary_progress(t *testing.T) {
	s := newSummary(nil)
	at := s.start
	if got, want := s.progress(at), "-- 0s: 0 tests done, 0 failed; building"; got != want {
		t.Errorf("progress() = %q, want %q", got, want)
	}
	for _, e := range []event{
		{Action: "start", Package: "github.com/go-zyre/zyre"},
		{Action: "start", Package: "q"},
		{Action: "run", Package: "q", Test: "TestA"},
		{Action: "pause", Package: "q", Test: "TestA"},
		{Action: "run", Package: "q", Test: "TestB"},
		{Action: "run", Package: "q", Test: "TestB/one"},
		{Action: "pass", Package: "q", Test: "TestB/one"},
		{Action: "pass", Package: "q", Test: "TestB"},
		{Action: "cont", Package: "q", Test: "TestA"},
		{Action: "start", Package: "r"},
		{Action: "pass", Package: "r"},
	} {
		at = at.Add(time.Second)
		s.follow(e, at)
	}
	want := "-- 11s: 0 tests done, 0 failed; zyre: 0; q: 1, TestA for 2s"
	if got := s.progress(at); got != want {
		t.Errorf("progress() = %q, want %q", got, want)
	}
}

func TestSplit(t *testing.T) {
	got := split([]string{"-race", "./...", "--", "-C", "bench"})
	want := [][]string{{"-race", "./..."}, {"-C", "bench"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("split() = %q, want %q", got, want)
	}
}
