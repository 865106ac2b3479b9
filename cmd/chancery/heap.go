package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// heapFloor is how large the daemon's heap may grow before it is collected, however
// little of it lives. A daemon that polls holds some 15 MiB; collecting them
// whenever they have doubled is a tenth of what its polls cost.
const heapFloor = 64 << 20

// softLimit is what the runtime shall hold at most while no more than three quarters of it live:
// then it collects a little earlier than at twice what lives. A round over a thousand
// feeds that are all new peaks a quarter lower with it. Where more lives, see bound.
const softLimit = 116 << 20

// keepHeapFloor fits the collector's pace to heapFloor after each collection, from
// now on. A larger heap is collected as by default, and within its bound. If the operator set GOGC, it does nothing, and with GOMEMLIMIT=off there is no
// softLimit; another GOMEMLIMIT holds for the larger heap.
func keepHeapFloor() {
	if os.Getenv("GOGC") != "" {
		return
	}
	h := &heapPace{percent: 100, most: debug.SetMemoryLimit(-1), unlimited: os.Getenv("GOMEMLIMIT") == "off", live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	h.fit()
}

// heapPace is the pace set last. It belongs to the one finalizer that is out.
type heapPace struct {
	percent   int
	limit     int64 // 0: none yet
	most      int64 // what the operator allows
	unlimited bool  // by the operator
	live      []metrics.Sample
}

// fit sets the pace, and has itself called again after the next collection, by the
// finalizer of an object that nobody else holds.
func (h *heapPace) fit() {
	metrics.Read(h.live)
	live := h.live[0].Value.Uint64()
	percent := pace(live)
	if d := percent - h.percent; d > h.percent/8 || -d > h.percent/8 { // setting it stops the program for a moment
		debug.SetGCPercent(percent)
		h.percent = percent
	}
	if n := min(bound(live), h.most); n != h.limit && !h.unlimited {
		debug.SetMemoryLimit(n)
		h.limit = n
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

// bound is the soft limit of memory for a heap of which so many bytes live. Where it is
// more than softLimit has room for, it is three quarters above that and boundRoom: by default
// garbage could gather up to as much as lives. Less room takes collection after
// collection (docs/figures-archive.md).
func bound(live uint64) int64 {
	if live <= softLimit*3/4 {
		return softLimit
	}
	const step = 4 << 20
	return int64(live+live/4*3+boundRoom+step-1) / step * step
}

// boundRoom is for what is held beside the heap, and for garbage where little lives.
const boundRoom = 40 << 20

const (
	// restLook is how often the daemon looks whether it rests, and quietLooks how
	// often in a row it must, before its memory is given back: a round of polls makes
	// no pauses that long.
	restLook   = 3 * time.Second
	quietLooks = 2
	// quietBytes is what may be allocated between two looks by a daemon that rests.
	quietBytes = 1 << 20
	// worthBack is from how much memory on it is worth a collection to give it back.
	worthBack = 16 << 20
)

// restHeap gives memory back to the system whenever the daemon has come to rest:
// after a round of polls the heap is as large as the round made it, and without
// allocations nothing would collect it. And again when as much has gathered meanwhile:
// where much lives, the collector would wait for as much again. It runs until ctx ends.
func restHeap(ctx context.Context) error {
	tick := time.NewTicker(restLook)
	defer tick.Stop()
	rest := rest{}
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(sample)
		held := sample[1].Value.Uint64() + sample[2].Value.Uint64()
		if rest.now(sample[0].Value.Uint64(), held-min(held, sample[3].Value.Uint64())) {
			debug.FreeOSMemory()
		}
	}
}

// rest is what restHeap saw before.
type rest struct {
	allocated uint64 // since the start, at the look before
	given     uint64 // the same, when memory was given back
	quiet     int    // looks in a row
}

// now reports whether this is the moment to give memory back: allocated is what was
// allocated since the start, spare what is held and not known to live.
func (r *rest) now(allocated, spare uint64) bool {
	busy := allocated-r.allocated > quietBytes
	r.allocated = allocated
	if busy {
		r.quiet = 0
		return false
	}
	r.quiet++
	if r.quiet < quietLooks || spare < worthBack || r.quiet > quietLooks && allocated-r.given < worthBack {
		return false
	}
	r.given = allocated
	return true
}
