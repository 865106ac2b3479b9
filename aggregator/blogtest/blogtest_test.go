package blogtest

import (
	"testing"
	"time"
)

var base = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// The built-in world reads, and is large enough to be worth looking at.
func TestNew(t *testing.T) {
	w := New(base)
	posts := 0
	for _, s := range w.Sources() {
		posts += len(w.Posts(s.ID))
	}
	t.Log(len(w.Sources()), posts, w.Steps())
}
