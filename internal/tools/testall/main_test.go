package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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
	s := &summary{out: &out, pending: make(map[string][]string)}
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

func TestModules(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{".", "bench", "a/b", "node_modules/x", "testdata/y", ".cache/z"} {
		err := errors.Join(
			os.MkdirAll(filepath.Join(root, dir), 0o755),
			os.WriteFile(filepath.Join(root, dir, "go.mod"), nil, 0o644),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := modules(root)
	want := []string{root, filepath.Join(root, "a/b"), filepath.Join(root, "bench")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("modules() = %v, %v, want %v", got, err, want)
	}
}
