package main

import (
	"runtime/debug"
	"testing"
)

func TestHeapPace(t *testing.T) {
	for _, x := range []struct {
		live uint64
		want int
	}{{0, 6300}, {1 << 20, 6300}, {16 << 20, 300}, {31 << 20, 106}, {32 << 20, 100}, {1 << 30, 100}} {
		if got := pace(x.live); got != x.want {
			t.Errorf("%d bytes live: %d %%, want %d", x.live, got, x.want)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	t.Setenv("GOGC", "-1")
	keepHeapFloor() // the operator's word holds
	if got := debug.SetGCPercent(-1); got != -1 {
		t.Errorf("with GOGC set, the pace became %d %%", got)
	}
}
