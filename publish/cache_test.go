package publish

import (
	"runtime"
	"testing"
)

// The values kept never take more than the room there is; those used last stay, and a
// giant does not empty the cache.
func TestCacheBounds(t *testing.T) {
	c := newCache[int, int](100)
	for i := range 10 {
		c.put(i, i, 10)
	}
	c.get(0)
	c.put(10, 10, 20)
	c.put(11, 11, 26)
	for k, want := range map[int]bool{0: true, 1: false, 2: false, 3: true, 9: true, 10: true, 11: false} {
		if _, got := c.get(k); got != want {
			t.Errorf("%d is kept: %v, want %v", k, got, want)
		}
	}
	if n := c.bytes(); n != 100 {
		t.Errorf("%d bytes, want 100", n)
	}
}

// What becomes old while it is put is not kept.
func TestCachePutsNothingOld(t *testing.T) {
	c := newCache[string, int](100)
	dropped := make(chan struct{})
	c.putIf("a", 1, 1, func() bool {
		go func() {
			c.drop("a")
			close(dropped)
		}()
		for range 1000 { // for it to come first, if it can
			runtime.Gosched()
		}
		return true
	})
	<-dropped
	if _, ok := c.get("a"); ok {
		t.Error("an old value is kept")
	}
	c.putIf("b", 1, 1, func() bool { return false })
	if _, ok := c.get("b"); ok {
		t.Error("a value that is not good any more is kept")
	}
}
