package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"testing"
	"time"

	"chancery/cmd/chancery/control"
	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// An export as Atom is one well-formed document with every entry once, whatever
// their number, and with a head when there are none. Its head declares the namespaces
// of all entries, and the entries are cleaned as those of feeds (SEC-14).
func TestAtomStream(t *testing.T) {
	for _, n := range []int{0, 1, atomBatch - 1, atomBatch, atomBatch + 1, 3*atomBatch + 7} {
		archive := storetest.NewModel()
		src := store.Source{ID: "s", URL: "https://s.example/feed", Title: "S", Origin: "command"}
		if err := archive.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &src}}); err != nil {
			t.Fatal(err)
		}
		batch := store.Batch{Source: "s"}
		for i := range n {
			id := fmt.Sprintf("urn:x:%d", i)
			batch.Drafts = append(batch.Drafts, store.Draft{
				Entry: feed.Entry{
					ID: id, Title: feed.Text{Value: "<entry> </feed> & " + id},
					Content:   feed.Text{Type: feed.HTML, Value: `<p>&lt;entry&gt; &lt;/feed&gt;</p><img src="https://google-analytics.com/x.gif">`},
					Published: feed.Date{Time: time.Date(2009, 1, 1, 0, 0, i, 0, time.UTC)},
				},
				Native: id, Method: "guid", Keys: []store.Key{storetest.Hash(store.KeyGUID, id)},
				Version: feed.DigestOf([]byte(id)), Part: -1,
			})
		}
		if n > 0 {
			batch.Drafts[n-1].Entry.Replies.InReplyTo = []feed.ReplyTo{{Ref: "urn:x:first"}} // no other entry has one
			if _, err := archive.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		e := &Env{Config: defaultConfig(), Archive: archive, Out: &out, Err: &out, Terminal: control.Terminal{}}
		if err := e.export(t.Context(), exporting{format: "atom"}, ""); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			ID      string   `xml:"id"`
			Updated string   `xml:"updated"`
			Entries []struct {
				ID    string `xml:"id"`
				Title string `xml:"title"`
				Reply []struct {
					Ref string `xml:"ref,attr"`
				} `xml:"http://purl.org/syndication/thread/1.0 in-reply-to"`
			} `xml:"entry"`
		}
		if err := xml.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatalf("%d items: %v", n, err)
		}
		if doc.ID == "" || doc.Updated == "" || len(doc.Entries) != n {
			t.Errorf("%d items: id %q, updated %q, %d entries", n, doc.ID, doc.Updated, len(doc.Entries))
		}
		seen := map[string]bool{}
		for _, x := range doc.Entries {
			if seen[x.ID] || x.Title == "" {
				t.Errorf("%d items: entry %q twice, or without a title", n, x.ID)
			}
			seen[x.ID] = true
		}
		if n > 0 && len(doc.Entries[n-1].Reply) != 1 {
			t.Errorf("%d items: the reply of the last entry is in no declared namespace", n)
		}
		if bytes.Contains(out.Bytes(), []byte("google-analytics")) {
			t.Errorf("%d items: a tracker's image is in the export", n)
		}
	}
}
