package main

import (
	"testing"

	"github.com/go-zyre/zyre"
)

func TestMatchPeers(t *testing.T) {
	peers := []zyre.PeerInfo{
		{UUID: "ABCD0000000000000000000000000001", Name: "alice"}, {UUID: "ABCD0000000000000000000000000002", Name: "twin"},
		{UUID: "EF010000000000000000000000000003", Name: "twin"}, {UUID: "12340000000000000000000000000004", Name: "ef01"},
	}
	for word, want := range map[string]string{
		"alice": "1", "twin": "23", "nobody": "", "abcd": "12", "ABCD0000000000000000000000000002": "2",
		"abcd0000-0000-0000-0000-000000000001": "1", "abc": "", "": "", "ef01": "4", "ef010": "3",
	} {
		got := ""
		for _, p := range matchPeers(peers, word) {
			got += p.UUID[31:]
		}
		if got != want {
			t.Errorf("matchPeers(%q) = %q, want %q", word, got, want)
		}
	}
}
