package bolt_test

import (
	"errors"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// Every revision can be proved at every size, also after a takedown; a changed
// proof does not hold; an old head is that of the archive of today.
func TestProve(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	storetest.Source(t, s, "a")
	var heads []store.TreeHead
	var ids []feed.ItemID
	for i := range 13 {
		out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{storetest.Draft(string(rune('a'+i)), "post "+string(rune('a'+i)))}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, out[0].ID)
		h, err := s.Head(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
		for _, id := range ids {
			p, err := s.Prove(t.Context(), id, 0)
			if err == nil {
				err = p.Check()
			}
			if err != nil || p.Head != h || len(p.Content) == 0 {
				t.Fatalf("size %d, item %v: %v", h.Size, id, err)
			}
			p.Content[len(p.Content)/2] ^= 1
			if err := p.Check(); !errors.Is(err, store.ErrProof) {
				t.Errorf("with other content: %v, want ErrProof", err)
			}
			p.Content[len(p.Content)/2] ^= 1
			p.Leaf[4] ^= 1
			if err := p.Check(); !errors.Is(err, store.ErrProof) {
				t.Errorf("with another leaf: %v, want ErrProof", err)
			}
		}
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: ids[:1], Reason: "a court"}}); err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		read, err := store.ParseTreeHead(h.String())
		if err != nil || read != h {
			t.Errorf("read %v of %q, %v", read, h, err)
		}
		now, err := s.Head(t.Context(), h.Size)
		if err != nil || now != h {
			t.Errorf("head at %d is %v now, was %v, %v", h.Size, now, h, err)
		}
	}
	p, err := s.Prove(t.Context(), ids[0], 1)
	if err == nil {
		err = p.Check()
	}
	if err != nil || len(p.Content) > 0 || len(p.Salt) > 0 {
		t.Errorf("after the takedown: %v, %d bytes of content", err, len(p.Content))
	}
	if _, err := s.Head(t.Context(), 1000); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("head of more than there is: %v", err)
	}
}
