package zyre_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// go vet checks the arguments of the methods that format as it checks those of fmt.Printf.
func TestZyre_vet(t *testing.T) {
	const file = "testdata/vet/vet.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "vet", "./testdata/vet").CombinedOutput()
	if err == nil {
		t.Fatalf("go vet finds nothing in %s", file)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`vet\.go:(\d+):`).FindAllSubmatch(out, -1) {
		found[string(m[1])] = true
	}
	for i, line := range bytes.Split(source, []byte("\n")) {
		if wrong := bytes.HasSuffix(line, []byte("// wrong")); wrong != found[strconv.Itoa(i+1)] {
			t.Errorf("line %d: wrong %t, go vet says %t\n%s", i+1, wrong, !wrong, out)
		}
	}
}
