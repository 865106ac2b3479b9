package bolt_test

import (
	"errors"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
)

// OPS-26: damage says where it is, to whoever asks and not only to a reader: the file and
// the record, or the page that it was found by, and whether it is known already.
func TestDamageSaysWhere(t *testing.T) {
	dir, s, ids := stuffed(t, bolt.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	const record = 40
	turn(t, volumeOne(dir), record)
	s = open(t, dir, bolt.Options{ReadOnly: true})
	where := func(what string, known bool) {
		t.Helper()
		var seen *bolt.Damage
		for _, id := range ids {
			_, err := s.Items(t.Context(), []feed.ItemID{id}, store.AllFields)
			if err == nil {
				continue
			}
			d, ok := errors.AsType[*bolt.Damage](err)
			if !ok || !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrLost) != known {
				t.Fatalf("%s: %v (%T): want a Damage that is ErrCorrupt, ErrLost: %v", what, err, err, known)
			}
			if d.Record == record {
				seen = d
			}
		}
		if seen == nil || seen.File != volumeOne(dir) || !seen.Volume || seen.Known != known {
			t.Errorf("%s: %+v, want record %d of %s, known: %v", what, seen, record, volumeOne(dir), known)
		}
	}
	where("as it is met", false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	end, _ := s.End(t.Context())
	followed(t, s, end)
	if err := errors.Join(s.Change(t.Context(), nil), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	where("when it was written anew", true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A page of the structure, in which no record is.
	page, size := lastPage(t, volumeOne(dir))
	scribble(t, volumeOne(dir), page*size, int(size))
	d, ok := errors.AsType[*bolt.Damage](bolt.Inspect(volumeOne(dir)))
	if !ok || d.Page != uint64(page) || d.File != volumeOne(dir) {
		t.Errorf("%+v, want page %d of %s", d, page, volumeOne(dir))
	}
}
