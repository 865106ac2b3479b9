package bolt_test

import (
	"bytes"
	"fmt"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// claimants are sources with various claims to addresses at blog.example.
var claimants = map[feed.SourceID]store.Source{
	"genuine":   {URL: "https://blog.example/feed", Origin: "command"},
	"summaries": {URL: "https://feeds.blog.example/short", Origin: "config"},
	"forger":    {URL: "https://evil.example/feed", Site: "https://blog.example/", Origin: "command"},
	"planet":    {URL: "https://planet.example/feed", Origin: "command"},
	// Only imported: what their documents say is all that is known of them.
	"saved":       {Site: "https://www.blog.example/", Origin: "import", Disabled: true},
	"saved-self":  {URL: "https://blog.example/atom", Origin: "import", Disabled: true},
	"saved-lie":   {Site: "https://blog.example/", Origin: "import", Disabled: true},
	"saved-other": {Site: "https://other.example/", Origin: "import", Disabled: true},
	"saved-none":  {Origin: "import", Disabled: true},
}

// claimed opens an archive with these sources, and a way to hand over a post of one of
// them that has the address of a post at blog.example; without words it has no sketch.
func claimed(t *testing.T, dir string) (*bolt.Store, func(source feed.SourceID, words string) store.Outcome) {
	t.Helper()
	s := open(t, dir, bolt.Options{})
	if list, err := s.Sources(t.Context()); err != nil || len(list) == 0 {
		for id, src := range claimants {
			src.ID = id
			if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &src}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, func(source feed.SourceID, words string) store.Outcome {
		t.Helper()
		d := storetest.Draft(string(source), string(source)+" "+words)
		d.Entry.URL = "https://www.blog.example/2009/01/post"
		d.Story = []store.Key{storetest.Hash(store.KeyURL, d.Entry.URL)}
		if words != "" {
			var w []string
			for i := range 120 {
				w = append(w, fmt.Sprint(words, i))
			}
			d.Sketch = sketchOf(w)
		}
		out, err := s.Append(t.Context(), store.Batch{Source: source, Drafts: []store.Draft{d}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
}

// SEC-31: who writes the address of another's post into a feed, with other words, does
// not take its story over, whoever comes first; who says the same is a copy, and so is a
// summary in other words from the address's own site. A document that was only imported
// says where it is of, and has that against those who have no claim at all, but not
// against the site itself, nor against another that says the same.
func TestClaimedAddress(t *testing.T) {
	type post struct {
		source feed.SourceID
		words  string
	}
	for name, c := range map[string]struct {
		first, second post
		want          store.State
	}{
		"a forger first":              {post{"forger", "lie"}, post{"genuine", "truth"}, store.New},
		"a forger second":             {post{"genuine", "truth"}, post{"forger", "lie"}, store.New},
		"few words first":             {post{"forger", ""}, post{"genuine", "truth"}, store.New},
		"few words second":            {post{"genuine", "truth"}, post{"forger", ""}, store.Duplicate},
		"a copy second":               {post{"genuine", "truth"}, post{"forger", "truth"}, store.Duplicate},
		"a copy first":                {post{"planet", "truth"}, post{"genuine", "truth"}, store.Duplicate},
		"a feed of its own":           {post{"genuine", "truth"}, post{"summaries", "short"}, store.Duplicate},
		"few words imported first":    {post{"saved-none", ""}, post{"genuine", "truth"}, store.New},
		"a lie of home first":         {post{"saved-lie", ""}, post{"genuine", "truth"}, store.New},
		"a lie of itself first":       {post{"saved-self", ""}, post{"genuine", "truth"}, store.New},
		"other words of a saved one":  {post{"saved-self", "lie"}, post{"genuine", "truth"}, store.New},
		"a saved copy of the feed":    {post{"genuine", "truth"}, post{"saved", "truth"}, store.Duplicate},
		"few words, then imported":    {post{"saved-none", ""}, post{"saved", "truth"}, store.New},
		"of elsewhere, then imported": {post{"saved-other", ""}, post{"saved", "truth"}, store.New},
		"imported, then few words":    {post{"saved", "truth"}, post{"saved-none", ""}, store.Duplicate},
		"word against word":           {post{"saved-lie", ""}, post{"saved", "truth"}, store.New},
		"the same words of both":      {post{"saved-lie", "truth"}, post{"saved", "truth"}, store.Duplicate},
		"neither has a claim":         {post{"planet", ""}, post{"forger", ""}, store.Duplicate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, add := claimed(t, t.TempDir())
			add(c.first.source, c.first.words)
			if got := add(c.second.source, c.second.words); got.State != c.want {
				t.Errorf("the second is %v, want %v", got.State, c.want)
			}
			sound(t, s)
		})
	}
}

// SEC-31: the address goes to the source with the better claim as soon as that comes, and
// copies that come later are its copies: with the catalog of the time, and with one made
// anew from the log.
func TestAddressChangesHands(t *testing.T) {
	for _, first := range []feed.SourceID{"forger", "saved-lie", "saved-none"} {
		for _, owner := range []feed.SourceID{"genuine", "saved"} {
			if first == "saved-lie" && owner == "saved" {
				continue // word against word: the first keeps it
			}
			for _, anew := range []bool{false, true} {
				dir := t.TempDir()
				s, add := claimed(t, dir)
				forged := add(first, "")
				genuine := add(owner, "truth")
				if anew {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					if err := removeCatalog(dir); err != nil {
						t.Fatal(err)
					}
					s, add = claimed(t, dir)
				}
				if got := add("planet", ""); got.State != store.Duplicate || got.Story != genuine.Story || got.Story == forged.Story {
					t.Errorf("%s, then %s, anew %v: a copy with few words is %+v, want one of %v", first, owner, anew, got, genuine.ID)
				}
				sound(t, s)
			}
		}
	}
}

// The original of a story is the post of the site whose address it has, also when a copy
// came before. The story keeps its name, as feeds carry it, and its original is one record
// that can be undone.
func TestOriginalComesLater(t *testing.T) {
	dir := t.TempDir()
	s, add := claimed(t, dir)
	copied := add("planet", "truth")
	original := add("genuine", "truth")
	late := add("summaries", "truth")
	if original.State != store.Duplicate || original.Story != copied.ID || late.Story != copied.ID {
		t.Fatalf("%+v, %+v; want both in the story %v", original, late, copied.ID)
	}
	ids := []feed.ItemID{copied.ID, original.ID, late.ID}
	check := func(when string, want feed.ItemID) {
		t.Helper()
		items, err := s.Items(t.Context(), ids, store.WithStory)
		if err != nil {
			t.Fatal(err)
		}
		for i := range items {
			isCopy := items[i].ID != want && (!want.IsZero() || items[i].ID != copied.ID)
			if items[i].Original != want || items[i].IsCopy() != isCopy || len(items[i].AlsoIn) != 2 {
				t.Errorf("%s: %v: original %v, copy %v; want the original %v", when, items[i].ID, items[i].Original, items[i].IsCopy(), want)
			}
		}
		sound(t, s)
	}
	check("as decided", original.ID)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := removeCatalog(dir); err != nil {
		t.Fatal(err)
	}
	s, add = claimed(t, dir)
	check("with the catalog made anew", original.ID)
	records, _, err := s.Follow(t.Context(), 0, store.KindsOf(store.KindMerge), 10)
	if err != nil || len(records) != 1 || records[0].Edit.By != "rule" || records[0].Edit.First != original.ID || records[0].Edit.Reason == "" {
		t.Fatalf("records of it: %+v, %v; want one", records, err)
	}
	// A person says otherwise.
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindMerge, Items: ids, By: "someone"}}); err != nil {
		t.Fatal(err)
	}
	check("undone", feed.ItemID{})
	if got := add("forger", "truth"); got.Story != copied.ID || bytes.Equal(got.ID[:], copied.ID[:]) {
		t.Errorf("another copy: %+v", got)
	}
	items, err := s.Items(t.Context(), ids[:1], 0)
	if err != nil || len(items) != 1 || !items[0].Original.IsZero() {
		t.Errorf("after another copy: %+v, %v", items, err)
	}
}
