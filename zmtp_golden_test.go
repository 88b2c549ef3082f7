package zyre

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

// zmtpRecord finds what an implementation sent, by the beginning of its description.
func zmtpRecord(t *testing.T, records []goldenRecord, impl, what string) goldenRecord {
	t.Helper()
	for _, r := range records {
		if r.Impl == impl && strings.HasPrefix(r.What, "zmtp: "+what) {
			return r
		}
	}
	t.Fatalf("testdata has no %q of %s", what, impl)
	return goldenRecord{}
}

// The identity in the READY of every implementation's DEALER is a routing id of ZRE.
func TestZMTP_goldenIdentity(t *testing.T) {
	records := goldenRecords(t, "zmtp.jsonl")
	for _, impl := range []string{"libzyre", "pyre", "gozyre", "gyre", "zyrejs"} {
		r := zmtpRecord(t, records, impl, "command READY (DEALER")
		var want struct{ Properties struct{ Identity string } }
		if err := json.Unmarshal(r.Decoded, &want); err != nil {
			t.Fatal(err)
		}
		at := len(r.frames[0]) - identitySize // the last property
		uuid, ok := parseIdentity(r.frames[0][at:])
		if got := hex.EncodeToString(appendIdentity(nil, uuid)); !ok || got != want.Properties.Identity {
			t.Errorf("%s: identity = %s, %t, want %s, true", impl, got, ok, want.Properties.Identity)
		}
	}
}
