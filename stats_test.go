package zyre

import (
	"reflect"
	"testing"
)

// setTexts sets every text in a value, of slices that of the first element.
func setTexts(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(text)
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		if v.Len() > 0 {
			setTexts(v.Index(0), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			setTexts(v.Field(i), text)
		}
	}
}

// What an application does to its Stats does not change those of the next one that asks.
func TestStats_clone(t *testing.T) {
	var s, unchanged Stats
	setTexts(reflect.ValueOf(&s).Elem(), "old")
	setTexts(reflect.ValueOf(&unchanged).Elem(), "old")
	c := s.clone()
	if !reflect.DeepEqual(c, s) {
		t.Errorf("clone() = %+v, want %+v", c, s)
	}
	setTexts(reflect.ValueOf(&c).Elem(), "new")
	if !reflect.DeepEqual(s, unchanged) {
		t.Errorf("after a change of the clone = %+v, want %+v", s, unchanged)
	}
	if got := (*Stats)(nil).clone(); !reflect.DeepEqual(got, Stats{}) {
		t.Errorf("clone() of nil = %+v, want none", got)
	}
}
