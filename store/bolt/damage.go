package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// keyLost, in the meta of a catalog: the records that could not be read when it was
// made, as header field 25 has them.
var keyLost = []byte("lost")

// noteDamage remembers the first damage, for Ping. When it is the catalog's, it leaves
// a mark, so that the next Open makes it anew.
func (s *Store) noteDamage(err error) {
	if !errors.Is(err, store.ErrCorrupt) {
		return
	}
	if s.damage.CompareAndSwap(nil, &err) {
		s.log.Error("the archive is damaged", "error", err.Error())
	}
	if !s.ofLog(err) {
		_ = os.WriteFile(s.catalogPath()+".damaged", []byte(err.Error()+"\n"), 0o644)
	}
}

// ofLog reports whether an error is of a volume. A catalog made anew would not mend it.
func (s *Store) ofLog(err error) bool {
	return strings.Contains(err.Error(), filepath.Join(s.dir, "archive")+string(filepath.Separator))
}

// passOver leaves a record out of a catalog that is made anew, because it cannot be
// read, or what it builds on. All others are read, but no head of the tree can be given.
func (c *catalogTx) passOver(seq uint64) error {
	meta := c.tx.Bucket(bucketMeta)
	lost, err := decodeRecords(meta.Get(keyLost))
	if err != nil {
		return err
	}
	if err := meta.Put(keyLost, encodeRecords(append(lost, seq))); err != nil {
		return err
	}
	return c.growBy(seq, tlog.Hash{}, c.counts.Last)
}

// lost are the records that are not in the catalog.
func lostIn(tx *bbolt.Tx) []uint64 {
	lost, _ := decodeRecords(tx.Bucket(bucketMeta).Get(keyLost)) // our own writing
	return lost
}

// whole is an error if the catalog lacks records: then its tree is not the log's.
func (c *catalogTx) whole() error {
	lost := lostIn(c.tx)
	if len(lost) == 0 {
		return nil
	}
	return damaged("log", fmt.Errorf("record %d cannot be read, and %d in all: no head of the tree is true until the volume is put back from a backup", lost[0], len(lost)))
}

// mended reports whether records that were lost can be read again.
func (s *Store) mended(lost []uint64) bool {
	for _, seq := range lost {
		v, err := s.volume(seq)
		if err != nil {
			return false
		}
		_, f, err := v.read(seq)
		if err != nil {
			return false
		}
		if _, err := v.plain(seq, f); err != nil {
			return false
		}
	}
	return len(lost) > 0
}
