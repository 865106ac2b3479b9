package bolt

import (
	"errors"
	"os"
	"testing"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// A row of the catalog that was cut short is damage, which the next opening mends, and
// does not end the process whenever somebody comes to it.
func TestRowsThatAreCutShort(t *testing.T) {
	body := []byte("<rss>a document</rss>")
	for bucket, key := range map[int][]byte{
		bKeys: keyRow(1, storetest.Hash(store.KeyGUID, "one")),
		bDocs: shortRow(1, shorten(feed.DigestOf(body))),
	} {
		s, _ := closing(t)
		err := s.submit(t.Context(), &job{care: func() error {
			return s.cat.Update(func(tx *bbolt.Tx) error { return tx.Bucket(catalogBuckets[bucket]).Put(key, []byte{1, 2, 3}) })
		}})
		if err != nil {
			t.Fatal(err)
		}
		batch := store.Batch{Document: &store.Document{Source: "alpha", Body: body}, Drafts: []store.Draft{storetest.Draft("one", "one")}}
		_, err = s.Append(t.Context(), batch)
		_, merr := os.Stat(s.catalogPath() + ".damaged")
		if !errors.Is(err, store.ErrCorrupt) || merr != nil {
			t.Errorf("%s: %v; the mark: %v", catalogBuckets[bucket], err, merr)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if s, err = Open(t.Context(), s.dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Errorf("%s: opened again: %v", catalogBuckets[bucket], err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whoever meets damage of the catalog in reading has it mended by the next opening.
func TestDamageThatAReaderMeets(t *testing.T) {
	s, _ := closing(t)
	ctx := t.Context()
	out, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err != nil {
		t.Fatal(err)
	}
	id := out[0].ID
	err = s.submit(ctx, &job{care: func() error {
		return s.cat.Update(func(tx *bbolt.Tx) error { return tx.Bucket(catalogBuckets[bItems]).Put(id[:], []byte{1}) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Items(ctx, []feed.ItemID{id}, 0); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Items = %v, want ErrCorrupt", err)
	}
	if err := s.Ping(ctx); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Ping = %v, want ErrCorrupt", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = Open(ctx, s.dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if it, err := s.Items(ctx, []feed.ItemID{id}, 0); err != nil || len(it) != 1 {
		t.Errorf("opened again: %d items, %v", len(it), err)
	}
}
