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
	for _, x := range []struct {
		live uint64
		want int64
	}{{0, softLimit}, {60 << 20, softLimit}, {87 << 20, softLimit}, {88 << 20, 196 << 20}, {90 << 20, 200 << 20}, {160 << 20, 320 << 20}, {2 << 30, 7<<29 + boundRoom}} {
		if got := bound(x.live); got != x.want {
			t.Errorf("%d bytes live: a limit of %d, want %d", x.live, got, x.want)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	t.Setenv("GOGC", "-1")
	keepHeapFloor() // the operator's word holds
	if got := debug.SetGCPercent(-1); got != -1 {
		t.Errorf("with GOGC set, the pace became %d %%", got)
	}
}

// Memory is given back when the daemon comes to rest, if it is worth it, and again when
// enough has gathered while it rests.
func TestRest(t *testing.T) {
	r := rest{}
	for i, look := range []struct {
		allocated, spare uint64
		want             bool
	}{
		{100 << 20, 90 << 20, false}, // a round
		{100 << 20, 90 << 20, false}, // the first quiet look
		{100 << 20, 90 << 20, true},
		{100 << 20, 90 << 20, false}, // once is enough
		{101 << 20, 90 << 20, false}, // a few requests are no round
		{140 << 20, 90 << 20, false},
		{140 << 20, 1 << 20, false},
		{140 << 20, 1 << 20, false}, // nothing to give
		{190 << 20, 40 << 20, false},
		{190 << 20, 40 << 20, false},
		{190 << 20, 40 << 20, true},
		{191 << 20, 40 << 20, false}, // what is spare cannot be given
		{192 << 20, 2 << 20, false},
		{192<<20 + 900<<10, 3 << 20, false},
	} {
		if got := r.now(look.allocated, look.spare); got != look.want {
			t.Errorf("look %d: %v, want %v", i+1, got, look.want)
		}
	}
	given := 0
	for i := range uint64(40) {
		if r.now((193+i)<<20, (3+i%16)<<20) {
			given++
		}
	}
	if given != 2 {
		t.Errorf("given back %d times while 40 MiB gathered at rest, want twice", given)
	}
}
