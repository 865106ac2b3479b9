package bolt_test

import (
	"fmt"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// SEC-31: who writes the address of another's post into a feed, with other words, does
// not take its story over, whoever comes first; who says the same is a copy, and so is a
// summary in other words from the address's own site.
func TestClaimedAddress(t *testing.T) {
	words := func(what string) (w []string) {
		for i := range 120 {
			w = append(w, fmt.Sprint(what, i))
		}
		return w
	}
	for name, c := range map[string]struct {
		first, second string
		words         string
		want          store.State
	}{
		"a forger first":    {"forger", "genuine", "lie", store.New},
		"a forger second":   {"genuine", "forger", "lie", store.New},
		"few words first":   {"forger", "genuine", "", store.New},
		"few words second":  {"genuine", "forger", "", store.Duplicate},
		"a copy second":     {"genuine", "forger", "truth", store.Duplicate},
		"a feed of its own": {"genuine", "summaries", "short", store.Duplicate},
	} {
		s := open(t, t.TempDir(), bolt.Options{})
		for id, address := range map[feed.SourceID]string{
			"genuine": "https://blog.example/feed", "summaries": "https://feeds.blog.example/short", "forger": "https://evil.example/feed",
		} {
			if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: id, URL: address, Origin: "command"}}}); err != nil {
				t.Fatal(err)
			}
		}
		var got store.State
		for _, source := range []string{c.first, c.second} {
			what := "truth"
			if source != "genuine" {
				what = c.words
			}
			d := storetest.Draft(source, what)
			d.Entry.URL = "https://www.blog.example/2009/01/post"
			d.Story = []store.Key{storetest.Hash(store.KeyURL, d.Entry.URL)}
			if what != "" {
				d.Sketch = sketchOf(words(what))
			}
			out, err := s.Append(t.Context(), store.Batch{Source: feed.SourceID(source), Drafts: []store.Draft{d}})
			if err != nil {
				t.Fatal(err)
			}
			got = out[0].State
		}
		if got != c.want {
			t.Errorf("%s: the second is %v, want %v", name, got, c.want)
		}
		sound(t, s)
	}
}
