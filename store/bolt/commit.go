package bolt

import "time"

// Commit is what is told of a commit that became durable.
type Commit struct {
	// Waits are how long those waited whose batches and changes are in it: from handing
	// them over to the writer until they were durable.
	Waits []time.Duration
	// Disk is how much of that was writing and syncing the files.
	Disk    time.Duration
	Records int
	Bytes   int // of the records
}

// OnCommit has f called after each commit from now on, by the writer: f must not wait
// and must not call the store. A later call replaces f; nil ends it.
func (s *Store) OnCommit(f func(Commit)) {
	if f == nil {
		s.told.Store(nil)
		return
	}
	s.told.Store(&f)
}

// tellCommit tells of a commit whose writing to the disk began at a time.
func (s *Store) tellCommit(group []*job, t *txn, began time.Time) {
	f := s.told.Load()
	if f == nil {
		return
	}
	now := time.Now()
	c := Commit{Disk: now.Sub(began), Records: len(t.recs), Bytes: t.size, Waits: make([]time.Duration, 0, len(group))}
	for _, j := range group {
		if j.err == nil {
			c.Waits = append(c.Waits, now.Sub(j.handed))
		}
	}
	(*f)(c)
}
