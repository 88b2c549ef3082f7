package zyre

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

// The identity in the READY of every implementation's DEALER is a routing id of ZRE.
func TestZMTP_goldenIdentity(t *testing.T) {
	records := wiretest.Captures(t, ".", "zmtp.jsonl")
	for _, impl := range []string{"libzyre", "pyre", "gozyre", "gyre", "zyrejs"} {
		r := wiretest.Find(t, records, impl, "zmtp: command READY (DEALER")
		var want struct{ Properties struct{ Identity string } }
		if err := json.Unmarshal(r.Decoded, &want); err != nil {
			t.Fatal(err)
		}
		at := len(r.Frames[0]) - identitySize // the last property
		uuid, ok := parseIdentity(r.Frames[0][at:])
		if got := hex.EncodeToString(appendIdentity(nil, uuid)); !ok || got != want.Properties.Identity {
			t.Errorf("%s: identity = %s, %t, want %s, true", impl, got, ok, want.Properties.Identity)
		}
	}
}
