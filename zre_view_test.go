package zyre

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
)

func TestZreView_parse_everyPrefix(t *testing.T) {
	for _, tt := range zreLayouts {
		frame := zreFrame(t, tt.lines...)
		for n := range len(frame) {
			want := errMalformed
			if n < 2 {
				want = errBadSignature
			}
			var v zreView
			if err := v.parse(frame[:n:n]); !errors.Is(err, want) {
				t.Errorf("%s: parse(first %d of %d bytes) = %v, want %v", tt.name, n, len(frame), err, want)
			}
			if rest := (zreView{id: v.id, sequence: v.sequence}); !reflect.DeepEqual(v, rest) {
				t.Errorf("%s: parse(first %d of %d bytes) left %+v", tt.name, n, len(frame), v)
			}
		}
	}
}

func TestZreView_parse_everyID(t *testing.T) {
	known := map[int]bool{2: true, 6: true, 7: true, 10: true} // complete without fields
	for id := range 256 {
		var want error
		switch {
		case id == 0 || id > int(GoodbyeID):
			want = errUnknownID
		case !known[id]:
			want = errMalformed
		}
		var v zreView
		err := v.parse(appendPlain(nil, uint8(id), 0x1234))
		if !errors.Is(err, want) || int(v.id) != id || v.sequence != 0x1234 {
			t.Errorf("parse(id %d) = %v, id %d, sequence %#x, want %v, %d, 0x1234", id, err, v.id, v.sequence, want, id)
		}
		_, err = NewZreMsg(uint8(id)).append(nil)
		if wantErr := errors.Is(want, errUnknownID); errors.Is(err, errUnknownID) != wantErr || (err != nil) != wantErr {
			t.Errorf("append(id %d) = %v, want an error: %t", id, err, wantErr)
		}
	}
}

func TestZreView_parse_order(t *testing.T) {
	tests := []struct {
		name, frame string
		want        error
	}{
		{"gossip", "AAA00101", errBadSignature},
		{"HTTP", "474554202F20485454502F312E31", errBadSignature},
		{"signature before version", "AAA0 01 03 0001", errBadSignature},
		{"version before id", "AAA1 FF 03 0001", errBadVersion},
		{"version before length", "AAA1 01 01", errBadVersion},
		{"id before fields", "AAA1 0B 02 0001", errUnknownID},
		{"endpoint", "AAA1 01 02 0001 FF 41", errMalformed},
		{"4 G groups", "AAA1 01 02 0001 00 FFFFFFFF 00 00 00000000", errMalformed},
		{"groups times 4 is 0", "AAA1 01 02 0001 00 40000000 00 00 00000000", errMalformed},
		{"group of 4 GB", "AAA1 01 02 0001 00 00000001 FFFFFFFF 00 00 00000000", errMalformed},
		{"group of 2 GB", "AAA1 01 02 0001 00 00000001 80000000 00 00 00000000", errMalformed},
		{"4 G headers", "AAA1 01 02 0001 00 00000000 00 00 FFFFFFFF", errMalformed},
		{"headers times 5 is 1", "AAA1 01 02 0001 00 00000000 00 00 33333333", errMalformed},
		{"header key", "AAA1 01 02 0001 00 00000000 00 00 00000001 FF 00000000", errMalformed},
		{"header value of 4 GB", "AAA1 01 02 0001 00 00000000 00 00 00000001 00 FFFFFFFF", errMalformed},
		{"group of SHOUT", "AAA1 03 02 0001 05 41424344", errMalformed},
		{"JOIN without status", "AAA1 04 02 0001 01 41", errMalformed},
		{"ELECT without challenger", "AAA1 08 02 0001 01 41", errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := zreFrame(t, tt.frame)
			var v zreView
			if err := v.parse(frame); !errors.Is(err, tt.want) {
				t.Errorf("parse(%x) = %v, want %v", frame, err, tt.want)
			}
			if n := testing.AllocsPerRun(10, func() { v.parse(frame) }); n != 0 {
				t.Errorf("parse(%x) allocates %v times, want 0", frame, n)
			}
		})
	}
}

func TestZreView_headerMap_lastWins(t *testing.T) {
	frame := zreFrame(t, "AAA1 01 02 0001 00 00000002 00000001 47 00000001 47 02 00",
		"00000003", "01 4B 00000001 31", "01 4C 00000001 32", "01 4B 00000001 33")
	var v zreView
	if err := v.parse(frame); err != nil {
		t.Fatalf("parse = %v", err)
	}
	if got, want := v.headerMap(), map[string]string{"K": "3", "L": "2"}; !maps.Equal(got, want) {
		t.Errorf("headerMap() = %v, want %v", got, want)
	}
	if got, want := v.groupNames(), []string{"G", "G"}; !slices.Equal(got, want) {
		t.Errorf("groupNames() = %v, want %v", got, want)
	}
	for range v.groups() {
		break // must end the walk
	}
	for range v.headers() {
		break
	}
}
