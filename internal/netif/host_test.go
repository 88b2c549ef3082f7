package netif

import (
	"net"
	"slices"
	"testing"
)

// What the host tells must agree with what package net tells.
func TestList(t *testing.T) {
	host, err := list()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(host, func(h Interface) bool { return h.Flags&net.FlagLoopback != 0 })
	if i < 0 {
		t.Skip("no loopback interface")
	}
	ifi, err := net.InterfaceByIndex(host[i].Index)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Prefixes(ifi)
	if err != nil {
		t.Fatal(err)
	}
	if got := host[i].Prefixes; !slices.Equal(got, want) {
		t.Errorf("list() of %s = %v, want %v", ifi.Name, got, want)
	}
}

func BenchmarkList(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := list(); err != nil {
			b.Fatal(err)
		}
	}
}
