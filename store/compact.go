package store

import "context"

// Compactor gives back space. An engine may do without it.
type Compactor interface {
	// Compact writes the archive's files anew, smaller, one after the other, while the
	// archive goes on being used: each file is the old one or the new one at any moment,
	// never less. No record changes in what it says; digests and proofs stay. If ctx ends,
	// what is done stays done. A second Compact at the same time is ErrConflict.
	// progress, which may be nil, counts records.
	Compact(ctx context.Context, progress func(done, total int64)) (Compaction, error)
}

// Compaction is what Compact did.
type Compaction struct {
	Files []CompactedFile // in the order of the archive; also those that were left as they were
}

// CompactedFile is one file before and after.
type CompactedFile struct {
	Name          string // below the data directory
	Before, After int64  // bytes allocated on the disk; equal: left as it was
}

// Gained is how many bytes of the disk were given back.
func (c *Compaction) Gained() (n int64) {
	for _, f := range c.Files {
		n += f.Before - f.After
	}
	return n
}
