package zyre

import (
	"slices"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	uuid, ok := parseUUID(zreTestID)
	if !ok || uuidString(uuid) != zreTestID {
		t.Fatalf("parseUUID(%s) = %x, %t", zreTestID, uuid, ok)
	}
	id := appendIdentity(nil, uuid)
	if got, ok := parseIdentity(id); len(id) != identitySize || !ok || got != uuid {
		t.Errorf("parseIdentity(%x) = %x, %t, want %x, true", id, got, ok, uuid)
	}
	for _, first := range []byte{0, '1', 0xff} {
		id := append([]byte{first}, id[1:]...)
		if got, ok := parseIdentity(id); !ok || got != uuid {
			t.Errorf("parseIdentity(%x) = %x, %t, want %x, true", id, got, ok, uuid)
		}
	}
	bad := [][]byte{nil, {1}, id[:16], append(slices.Clone(id), 0), []byte(zreTestID)}
	for _, b := range bad {
		if got, ok := parseIdentity(b); ok {
			t.Errorf("parseIdentity(%x) = %x, true, want false", b, got)
		}
	}
}

func TestParseUUID(t *testing.T) {
	want, _ := parseUUID(zreTestID)
	if got, ok := parseUUID(strings.ToLower(zreTestID)); !ok || got != want {
		t.Errorf("parseUUID(lower case) = %x, %t, want %x, true", got, ok, want)
	}
	for _, s := range []string{
		"", zreTestID[1:], zreTestID + "0", "G" + zreTestID[1:], zreTestID[:31] + "\x00",
		"cbbe61f8-f1a2-4058-b430-1f356e21ae11", strings.Repeat("ü", 16),
	} {
		if got, ok := parseUUID(s); ok || got != [16]byte{} {
			t.Errorf("parseUUID(%q) = %x, %t, want zero, false", s, got, ok)
		}
	}
}

func TestUUIDString(t *testing.T) {
	for _, c := range []struct {
		name string
		uuid [16]byte
		want string
	}{
		{"zero", [16]byte{}, strings.Repeat("0", 32)},
		{"upper case", [16]byte{0xab, 15: 0xcd}, "AB" + strings.Repeat("0", 28) + "CD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := uuidString(c.uuid); got != c.want {
				t.Errorf("uuidString(%x) = %s, want %s", c.uuid, got, c.want)
			}
		})
	}
}
