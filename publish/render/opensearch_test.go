package render

import (
	"encoding/xml"
	"strings"
	"testing"
)

// PUB-87: a search says how many results there are, in every format, and leads to
// its description.
func TestSearchElements(t *testing.T) {
	f := variants(t)["search"]
	for format, wants := range map[Format][]string{
		FormatAtom: {
			`xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"`, "<opensearch:totalResults>1234</opensearch:totalResults>", "<opensearch:startIndex>51</opensearch:startIndex>",
			"<opensearch:itemsPerPage>50</opensearch:itemsPerPage>", `<opensearch:Query role="request" searchTerms="&#34;a&#34; AND =B^2 &lt;&amp;&gt;" startIndex="51" count="50">`,
			`<link href="https://feeds.example.org/opensearch.xml" rel="search" type="application/opensearchdescription+xml">`, "<fh:complete>",
		},
		FormatRSS: {
			"<opensearch:totalResults>1234</opensearch:totalResults>", "<opensearch:startIndex>51</opensearch:startIndex>", "<opensearch:itemsPerPage>50</opensearch:itemsPerPage>",
			`<opensearch:Query role="request"`, `<atom:link href="https://feeds.example.org/opensearch.xml" rel="search"`, "<fh:complete>",
		},
		FormatJSON: {`"_opensearch":{"about":"https://`, `"totalResults":1234,"startIndex":51,"itemsPerPage":50,"searchTerms":"\"a\" AND =B^2 <&>"`},
	} {
		doc := string(mustWrite(t, f, format))
		for _, want := range wants {
			if !strings.Contains(doc, want) {
				t.Errorf("%v lacks %s:\n%.2500s", format, want, doc)
			}
		}
	}
	for _, format := range Formats {
		if doc := string(mustWrite(t, variants(t)["full"], format)); strings.Contains(doc, "opensearch") {
			t.Errorf("%v: a feed that is no search has elements of one", format)
		}
	}
}

// PUB-86: the bounds of a description, and escaping.
func TestOpenSearch(t *testing.T) {
	b, err := OpenSearch(&Description{
		ShortName: strings.Repeat("ا", 20), Description: strings.Repeat("<&> ", 500), Self: "https://x.example/opensearch.xml",
		URLs: []SearchURL{{Type: "text/html", Template: "https://x.example/search?q={searchTerms}&limit={count?}"}}, Example: `"a" OR b*`,
	})
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		ShortName, Description string
		Query                  struct {
			Role  string `xml:"role,attr"`
			Terms string `xml:"searchTerms,attr"`
		}
	}
	if err := xml.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.ShortName != strings.Repeat("ا", 16) || len([]rune(d.Description)) != 1024 || d.Query.Role != "example" || d.Query.Terms != `"a" OR b*` {
		t.Errorf("%+v\n%s", d, b)
	}
}

// PUB-24: an entry that was revised leads to its versions (RFC 5829), no other does.
func TestVersionHistory(t *testing.T) {
	const link = `/revisions" rel="version-history" type="text/html">`
	if doc := string(mustWrite(t, variants(t)["revised"], FormatAtom)); strings.Count(doc, link) != 1 {
		t.Errorf("no link:\n%s", doc)
	}
	if doc := string(mustWrite(t, variants(t)["full"], FormatAtom)); strings.Contains(doc, link) {
		t.Error("an entry with one version has a history")
	}
}

// A feed that is not served in a format names no document in it.
func TestOnlyServedFormats(t *testing.T) {
	f := variants(t)["revised"] // no RSS
	if doc := string(mustWrite(t, f, FormatAtom)); strings.Contains(doc, "application/rss+xml") || !strings.Contains(doc, "application/feed+json") {
		t.Errorf("alternates:\n%.1500s", doc)
	}
}
