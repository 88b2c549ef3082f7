package bubble

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, done := time.Now(), false
		time.AfterFunc(time.Hour, func() { done = true })
		Sleep(time.Hour)
		if took := time.Since(start); took != time.Hour || !done {
			t.Errorf("Sleep(1h) took %v, and what was due is done: %t; want 1h, true", took, done)
		}
	})
}

func TestSleep_outside(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Sleep() outside a bubble returned, want a panic")
		}
	}()
	Sleep(time.Nanosecond)
}
