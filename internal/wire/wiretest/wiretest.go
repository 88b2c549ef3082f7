// Package wiretest reads the frames in testdata/wire, which real implementations sent.
package wiretest

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Capture is one line of a file in testdata/wire.
type Capture struct {
	Impl, Transport, What string
	Decoded               json.RawMessage
	Frames                [][]byte `json:"-"`
}

// Captures reads a file; root is the way to the directory that has testdata/wire.
func Captures(t testing.TB, root, file string) (all []Capture) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "testdata", "wire", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct {
			Capture
			Frames []string `json:"frames_hex"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s line %d: %v", file, len(all)+1, err)
		}
		for _, s := range r.Frames {
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatalf("%s line %d: %v", file, len(all)+1, err)
			}
			r.Capture.Frames = append(r.Capture.Frames, b)
		}
		all = append(all, r.Capture)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Find returns what an implementation sent, by the beginning of its description.
func Find(t testing.TB, all []Capture, impl, what string) Capture {
	t.Helper()
	for _, c := range all {
		if c.Impl == impl && strings.HasPrefix(c.What, what) {
			return c
		}
	}
	t.Fatalf("testdata/wire has no %q of %s", what, impl)
	return Capture{}
}
