package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is how large the daemon's heap may grow before it is collected, however
// little of it lives. A daemon that polls holds some 15 MiB; collecting them
// whenever they have doubled is a tenth of what its polls cost.
const heapFloor = 64 << 20

// keepHeapFloor fits the collector's pace to heapFloor after each collection, from
// now on. A larger heap is collected as by default. If the operator set GOGC, it
// does nothing.
func keepHeapFloor() {
	if os.Getenv("GOGC") != "" {
		return
	}
	h := &heapPace{percent: 100, live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	h.fit()
}

// heapPace is the pace set last. It belongs to the one finalizer that is out.
type heapPace struct {
	percent int
	live    []metrics.Sample
}

// fit sets the pace and has itself called after the next collection.
func (h *heapPace) fit() {
	metrics.Read(h.live)
	percent := pace(h.live[0].Value.Uint64())
	if d := percent - h.percent; d > h.percent/8 || -d > h.percent/8 { // setting it stops the program for a moment
		debug.SetGCPercent(percent)
		h.percent = percent
	}
	runtime.SetFinalizer(&struct{ *heapPace }{h}, func(s *struct{ *heapPace }) { s.fit() })
}

// pace is the value of GOGC with which a heap of which so many bytes live is
// collected again at heapFloor, or at twice its size if that is more.
func pace(live uint64) int {
	live = max(live, 1<<20)
	if live >= heapFloor/2 {
		return 100
	}
	return int(heapFloor*100/live) - 100
}
