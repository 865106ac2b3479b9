package bolt

import (
	"fmt"
	"time"

	"chancery/feed"
	"chancery/store"
)

// dayCounts counts the new items of each source on a day of recorded time. It is held
// in memory: a restart begins again.
type dayCounts struct {
	n       map[dayOfSource]int
	pending map[dayOfSource]int // of the commit in the making
}

type dayOfSource struct {
	source uint32
	day    int64
}

func (d *dayCounts) keep() {
	if len(d.n) > 1<<16 {
		d.n = nil // long ago
	}
	for k, n := range d.pending {
		if d.n == nil {
			d.n = map[dayOfSource]int{}
		}
		d.n[k] += n
	}
	d.pending = nil
}

func (d *dayCounts) undo() { d.pending = nil }

// SetQuotas changes Options.ItemsPerDay and Options.RevisionsPerDay from the next
// commit on.
func (s *Store) SetQuotas(itemsPerDay, revisionsPerDay int) {
	s.itemsPerDay.Store(int64(itemsPerDay))
	s.revisionsPerDay.Store(int64(revisionsPerDay))
}

// countItem counts a new item against its source's quota (CONFORMANCE SEC-30).
func (t *txn) countItem(num uint32, source feed.SourceID, at time.Time) error {
	limit := int(t.s.itemsPerDay.Load())
	if limit <= 0 {
		return nil
	}
	c := &t.s.today
	k := dayOfSource{num, at.Unix() / 86400}
	if c.n[k]+c.pending[k] >= limit {
		t.dirty = true // what the batch brought before is undone with it
		return fmt.Errorf("source %q: %w: it brought %d new items on %s, its quota", source, store.ErrQuota, limit, at.Format(time.DateOnly))
	}
	if c.pending == nil {
		c.pending = map[dayOfSource]int{}
	}
	c.pending[k]++
	return nil
}

// tooManyRevisions reports whether an item had its quota of revisions in the last 24 hours.
// What is imported from a file brings those of years at once, and an operator wants them.
func (t *txn) tooManyRevisions(sg *sighting, from string, at time.Time) (bool, error) {
	limit := int(t.s.revisionsPerDay.Load())
	if limit <= 0 || from != "" || int(sg.row.revisions) <= limit {
		return false, nil
	}
	seqs := t.revisions(sg.id, &sg.row)
	seq := seqs[max(0, len(seqs)-limit)]
	if seq > t.s.end {
		return true, nil // of this very commit
	}
	v, err := t.s.volume(seq)
	if err != nil {
		return false, err
	}
	h, _, err := v.readHead(seq)
	if err != nil { // of one that is lost nobody knows when it was
		return false, t.s.passing(err)
	}
	// A clock that was ahead for a while must not end all versions until then.
	return at.Sub(instant(h.time)).Abs() < 24*time.Hour, nil
}
