package bolt

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// A version that cannot be read, or that was recorded while the clock was far ahead, does
// not end an item's further versions, although it would count against the quota of a day.
func TestQuotaOfVersions(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ahead, damaged bool
		want           store.State
	}{
		"three in an hour":          {want: store.Same},
		"one of them is damaged":    {damaged: true, want: store.Revised},
		"the clock was years ahead": {ahead: true, want: store.Revised},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), t.TempDir(), Options{RevisionsPerDay: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			storetest.Source(t, s, "alpha")
			var second store.Cursor
			for i := range 3 {
				at := now.Add(time.Duration(i) * time.Minute)
				if c.ahead && i > 0 {
					at = at.AddDate(50, 0, 0)
				}
				if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", At: at, Drafts: []store.Draft{storetest.Draft("guid", fmt.Sprint(i))}}); err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					if second, err = s.End(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.damaged {
				v := s.live()
				err := s.submit(t.Context(), &job{care: func() error {
					return v.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLog).Put(be64(uint64(second)), []byte("no record")) })
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			for i := range 2 { // when it is noticed, and when it is known to be lost
				out, err := s.Append(t.Context(), store.Batch{Source: "alpha", At: now.Add(time.Hour), Drafts: []store.Draft{storetest.Draft("guid", fmt.Sprint("more ", i))}})
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 && out[0].State != c.want {
					t.Errorf("a further version is %v, want %v", out[0].State, c.want)
				}
			}
		})
	}
}

// A feed that edits a post all day: what is beyond the quota waits, its bytes are not taken
// for known and the document is asked for again, so that the last state is kept in the end.
// Versions from files are not counted.
func TestHeldVersion(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), t.TempDir(), Options{RevisionsPerDay: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Source(t, s, "alpha")
	batch := func(text string, at time.Time) store.Batch {
		body := []byte("<rss><item>" + text + "</item></rss>")
		d := storetest.Draft("guid", text)
		part := store.Part{Start: 5, End: len(body) - 6, Digest: feed.DigestOf(body[5 : len(body)-6])}
		d.Part = 0
		return store.Batch{At: at, Document: &store.Document{Source: "alpha", Body: body, Received: at, Parts: []store.Part{part}}, Drafts: []store.Draft{d}}
	}
	poll := func(text string, at time.Time) (store.State, store.PollState) {
		t.Helper()
		l, err := s.Lease(t.Context(), store.LeaseQuery{Sources: []feed.SourceID{"alpha"}, Now: at})
		if err != nil || len(l) != 1 {
			t.Fatalf("%d leases, %v", len(l), err)
		}
		b := batch(text, at)
		out, err := s.Finish(t.Context(), l[0], store.PollResult{State: store.PollState{ETag: `"e"`, BodyHash: "h"}, Batch: &b})
		if err != nil {
			t.Fatal(err)
		}
		src, err := s.Source(t.Context(), "alpha")
		if err != nil {
			t.Fatal(err)
		}
		return out[0].State, src.State
	}
	known := func(text string) bool {
		t.Helper()
		got, err := s.Known(t.Context(), "alpha", []feed.Digest{batch(text, now).Document.Parts[0].Digest})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	for i, want := range []store.State{store.New, store.Revised, store.Revised, store.Same, store.Same} {
		text := fmt.Sprint("state ", i)
		got, state := poll(text, now.Add(time.Duration(i)*time.Hour))
		if held := want == store.Same; got != want || known(text) == held || (state.ETag == "") != held || (state.BodyHash == "") != held {
			t.Errorf("state %d: %v, known %v, asked for with %q and %q", i, got, known(text), state.ETag, state.BodyHash)
		}
	}
	if got, state := poll("state 4", now.Add(30*time.Hour)); got != store.Revised || !known("state 4") || state.ETag == "" {
		t.Errorf("the last state, a day later: %v", got)
	}
	for i := range 5 {
		b := batch(fmt.Sprint("saved ", i), now.Add(31*time.Hour))
		b.From = "saved.rss"
		if out, err := s.Append(t.Context(), b); err != nil || out[0].State != store.Revised {
			t.Errorf("version %d from a file: %v, %v", i, out, err)
		}
	}
	if rep, err := s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v", rep.Faults, err)
	}
}
