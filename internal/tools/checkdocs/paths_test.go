package main

import "testing"

func TestPathRule_check(t *testing.T) {
	r := newPathRule()
	r.places = []string{"/src/x/"}
	if r.homes == nil || !r.homes.MatchString("/ho"+"me/me/x") {
		t.Error("homes does not match a home directory")
	}
	for text, want := range map[string]int{
		"ipc:///tmp/zyre.sock": 0, "go/src/x.go": 0, "see /src/x/y": 1, "a\x00/src/x/y": 0,
		"https://example.org/work/1": 0, "see /wor" + "k/1\nsee /Us" + "ers/me": 2,
	} {
		if got := len(r.check("f", []byte(text))); got != want {
			t.Errorf("check(%q) found %d, want %d", text, got, want)
		}
	}
}
