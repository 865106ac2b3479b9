package bolt

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// keyStripped, in the meta of a volume: the last decision by which content was taken out of
// it; and, with the volume's number behind it, in the meta of the catalog: what it was when
// the catalog saw it. A file that has less is an older copy, which was put back.
var keyStripped = []byte("stripped")

func strippedKey(number uint32) []byte { return append(slices.Clone(keyStripped), num4(number)...) }

// putBack gives the volumes that are there in a copy that has content that was removed,
// by number, with the decision by which that was done last.
func (s *Store) putBack() (older map[uint32]uint64, err error) {
	older = map[uint32]uint64{}
	err = s.viewCatalog(func(c *catalogTx) error {
		meta := c.tx.Bucket(bucketMeta)
		for _, v := range s.vols {
			if b := meta.Get(strippedKey(v.number)); len(b) == 8 && getSeq(b) > v.stripped {
				older[v.number] = getSeq(b)
			}
		}
		return nil
	})
	return older, err
}

// finishTakedowns removes the content of items whose takedown is recorded, and of
// documents that are recorded as not kept any more. It is
// the writer's, or Open's, and may be done again: what is gone stays gone. What is lost is
// left pending: its file may be put back, and then the content goes before anything else.
func (s *Store) finishTakedowns() error {
	todo, err := s.pendingTakedowns()
	if err != nil {
		return err
	}
	older, err := s.putBack()
	if err != nil || len(todo) == 0 && len(older) == 0 {
		return err
	}
	defer s.recent.forget()
	gone, unseen, err := s.decidedGone(todo, len(older) > 0)
	if err != nil {
		return err
	}
	if unseen { // whatever is lost may be what they were
		if err := s.removeAside(func(v *volume) bool { return v.lostCount() > 0 }); err != nil {
			return err
		}
	}
	if err := s.stripAll(gone, todo, older); err != nil {
		return err
	}
	return s.noteFinished(todo, unseen || slices.ContainsFunc(gone, s.isLost))
}

// pendingTakedowns are the decisions whose content is still to be removed, as far as it can
// be reached.
func (s *Store) pendingTakedowns() (todo []uint64, err error) {
	lost := be64(s.lostRecords())
	err = s.viewCatalog(func(c *catalogTx) error {
		return c.b[bPending].ForEach(func(k, v []byte) error {
			if !bytes.Equal(v, lost) { // else all was done, but for what is lost now as it was then
				todo = append(todo, getSeq(k))
			}
			return nil
		})
	})
	return todo, err
}

// decidedGone are the records whose content is to be removed by some decisions, and, if all,
// of whatever was taken down or let go before. For unseen see recordsOf.
func (s *Store) decidedGone(todo []uint64, all bool) (gone []uint64, unseen bool, err error) {
	items := map[feed.ItemID]bool{}
	var expired []uint64
	if all {
		if err := s.allTakenDown(items); err != nil {
			return nil, false, err
		}
		if expired, err = s.allExpired(); err != nil {
			return nil, false, err
		}
	}
	for _, seq := range todo {
		v, err := s.volume(seq)
		if err != nil {
			return nil, false, err
		}
		h, _, err := v.read(seq)
		if errors.Is(err, store.ErrCorrupt) { // whose content was to go is in the catalog
			if err := s.passing(err); err != nil {
				return nil, false, err
			}
			err = s.allTakenDown(items)
		}
		if err != nil {
			return nil, false, err
		}
		for _, id := range h.items {
			items[id] = true
		}
		expired = append(expired, h.records...)
	}
	gone, unseen, err = s.recordsOf(items)
	return append(gone, expired...), unseen, err
}

// stripAll takes the content of records out of their volumes, and removes files of these
// that were put aside. The volumes note by which decisions.
func (s *Store) stripAll(gone, todo []uint64, older map[uint32]uint64) error {
	of := map[*volume][]uint64{}
	for _, seq := range gone {
		v, err := s.volume(seq)
		if err != nil {
			return err
		}
		of[v] = append(of[v], seq)
	}
	for _, v := range s.vols {
		aside := len(of[v]) > 0 && len(asideOf(v.path)) > 0
		mark := max(v.stripped, older[v.number])
		for _, seq := range todo {
			mark = max(mark, seq)
		}
		seqs := v.withBody(of[v])
		if len(seqs) == 0 && !aside {
			continue
		}
		err := s.strip(v, seqs, mark)
		if err != nil && s.healFor(err) { // what cannot be read is not in the new file
			err = s.strip(v, seqs, mark)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noteFinished notes that all content was removed that could be reached; left says that
// some could not.
func (s *Store) noteFinished(todo []uint64, left bool) error {
	lost := be64(s.lostRecords())
	return s.updateCatalog(s.cat, s.mem, func(c *catalogTx) error {
		for _, v := range s.vols {
			if err := c.noteStripped(v); err != nil {
				return err
			}
		}
		for _, seq := range todo {
			err := error(nil)
			if left {
				err = c.b[bPending].Put(be64(seq), lost)
			} else {
				err = c.b[bPending].Delete(be64(seq))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// noteStripped notes what was taken out of a volume's file.
func (c *catalogTx) noteStripped(v *volume) error {
	meta, key := c.tx.Bucket(bucketMeta), strippedKey(v.number)
	if v.stripped == 0 {
		return meta.Delete(key)
	}
	return meta.Put(key, be64(v.stripped))
}

// lostRecords is how many records are lost.
func (s *Store) lostRecords() (n uint64) {
	for _, v := range s.vols {
		n += uint64(v.lostCount())
	}
	return n
}

// removeAside removes the damaged files that were put aside for volumes: content is in them
// that was to be removed.
func (s *Store) removeAside(of func(v *volume) bool) error {
	var err error
	for _, v := range s.vols {
		if !of(v) {
			continue
		}
		for _, aside := range asideOf(v.path) {
			s.log.Warn("removed a damaged file that was put aside: it has content that was to be removed", "file", aside)
			err = errors.Join(err, os.Remove(aside))
		}
	}
	return system(err)
}

// allTakenDown adds all items that are taken down.
func (s *Store) allTakenDown(items map[feed.ItemID]bool) error {
	return s.viewCatalog(func(c *catalogTx) error {
		return c.b[bItems].ForEach(func(k, v []byte) error {
			r, err := decodeRow(v)
			if err == nil && r.takenDown {
				items[feed.ItemID(k)] = true
			}
			return err
		})
	})
}

// recordsOf finds the records that hold content of items: their revisions, the
// documents that carry bytes of theirs themselves, those whose entries could not
// be told apart, and those of their sources that could not be read. Those that are lost
// are among them; unseen says that all of an item are, or a document is of its source.
func (s *Store) recordsOf(items map[feed.ItemID]bool) (seqs []uint64, unseen bool, err error) {
	var docs []uint64
	parts := map[feed.SourceID]map[short]bool{}
	err = s.viewCatalog(func(c *catalogTx) error {
		for id := range items {
			r, ok, err := c.row(id)
			if err != nil {
				return err
			}
			if !ok { // its records are lost
				unseen = true
				continue
			}
			seqs = append(seqs, c.revisions(id, &r)...)
			src := c.sourceName(r.source)
			if parts[src] != nil {
				continue
			}
			parts[src] = map[short]bool{}
			cur := c.b[bParts].Cursor()
			p := num4(r.source)
			for k, v := cur.Seek(p); bytes.HasPrefix(k, p) && len(v) == 24; k, v = cur.Next() {
				if items[feed.ItemID(v[8:24])] {
					parts[src][short(k[4:20])] = true
				}
			}
		}
		return c.b[bDocs].ForEach(func(k, v []byte) error {
			if parts[c.sourceName(uint32(k[0])<<24|uint32(k[1])<<16|uint32(k[2])<<8|uint32(k[3]))] != nil {
				docs = append(docs, getSeq(v))
			}
			return nil
		})
	})
	if err != nil {
		return nil, false, err
	}
	came := map[uint64]bool{} // documents that revisions of the items came in
	for _, seq := range seqs {
		v, err := s.volume(seq)
		if err != nil {
			return nil, false, err
		}
		h, _, err := v.read(seq)
		if err := s.passing(err); err != nil {
			return nil, false, err
		}
		came[h.raw] = true
	}
	slices.Sort(docs)
	for _, seq := range docs {
		v, err := s.volume(seq)
		if err != nil {
			return nil, false, err
		}
		h, f, err := v.readHead(seq)
		if err != nil {
			if err := s.passing(err); err != nil {
				return nil, false, err
			}
			unseen = true
			continue
		}
		unreadable := false
		if len(h.parts) == 0 && !came[seq] && f.pack != nil {
			if unreadable, err = v.unreadable(seq); err != nil {
				if err := s.passing(err); err != nil {
					return nil, false, err
				}
				unreadable = true // nobody knows what is in it
			}
		}
		if unreadable || len(h.parts) == 0 && came[seq] || slices.ContainsFunc(h.inline, func(i int) bool {
			return i < len(h.parts) && parts[h.source][h.parts[i]]
		}) {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return slices.Compact(seqs), unseen, nil
}

// unreadable reports whether a raw record is of a document that no parser could read.
func (v *volume) unreadable(seq uint64) (bool, error) {
	_, f, err := v.read(seq)
	if err != nil {
		return false, err
	}
	plain, err := v.plain(seq, f)
	if err != nil {
		return false, err
	}
	r, err := decodeRaw(plain)
	if err != nil {
		return false, damaged(v.at(seq), err)
	}
	return slices.Contains(r.doc.Repairs, store.Unreadable), nil
}

// withBody are those of the records of a volume that have a body, or may have one: a
// catalog that was made anew asks once more for what was done long ago, and a volume in
// which there is nothing to do need not be written anew.
func (v *volume) withBody(seqs []uint64) []uint64 {
	return slices.DeleteFunc(seqs, func(seq uint64) bool {
		_, f, err := v.readHead(seq)
		return err == nil && f.pack == nil || errors.Is(err, store.ErrLost)
	})
}

// strip takes salt and body out of records, and makes sure that no trace is left in
// free pages: the volume is written anew beside the old file and put in its place.
func (s *Store) strip(v *volume, seqs []uint64, mark uint64) (err error) {
	defer guard(inVolume(v.path), &err)()
	gone := make(map[uint64]bool, len(seqs))
	for _, seq := range seqs {
		gone[seq] = true
	}
	tmp := v.path + ".strip.tmp" // beside that of a compaction
	_ = os.Remove(tmp)
	out, err := openVolumeDB(tmp, false)
	if err != nil {
		return err
	}
	err = copyVolume(v, out, func(seq uint64, b []byte) ([]byte, error) {
		if !gone[seq] {
			return b, nil
		}
		f, err := unframe(seq, b)
		if err != nil {
			return nil, damaged(v.at(seq), err)
		}
		return frame(seq, f.kind, f.head, nil), nil
	})
	if err == nil {
		err = out.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyStripped, be64(mark)) })
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(tmp)
		return part(tmp).system(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err = v.replace(tmp, v != s.vols[len(s.vols)-1]); err != nil {
		_ = os.Remove(tmp) // not there if it is in place
		return err
	}
	v.stripped = mark
	return s.removeAside(func(o *volume) bool { return o == v })
}

// copyVolume writes the records of a volume, as change gives them, into an empty file.
func copyVolume(v *volume, out *bbolt.DB, change func(seq uint64, b []byte) ([]byte, error)) error {
	return v.view(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketDict, bucketSpare, bucketLost, bucketLog} {
			src := tx.Bucket(name)
			if src == nil {
				continue
			}
			cur := src.Cursor()
			k, val := cur.First()
			for first := true; first || k != nil; first = false {
				err := out.Update(func(w *bbolt.Tx) error {
					dst, err := w.CreateBucketIfNotExists(name)
					if err != nil {
						return err
					}
					dst.FillPercent = 1.0
					for n := 0; k != nil && n < 16<<20; k, val = cur.Next() {
						b := val
						if string(name) == string(bucketLog) {
							if b, err = change(getSeq(k), val); err != nil {
								return err
							}
						}
						if err := dst.Put(k, b); err != nil {
							return err
						}
						n += len(b)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}
