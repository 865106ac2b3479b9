package parse

import (
	"slices"
	"testing"

	"chancery/feed"
)

// The ways RSS writes a person (PEERS 35).
func TestPerson(t *testing.T) {
	for in, want := range map[string]feed.Person{
		"":                               {},
		"Ann":                            {Name: "Ann"},
		"ann@x.example":                  {Email: "ann@x.example"},
		"ann@x.example (Ann B)":          {Name: "Ann B", Email: "ann@x.example"},
		"Ann B (ann@x.example)":          {Name: "Ann B", Email: "ann@x.example"},
		"Ann <ann@x.example>":            {Name: "Ann", Email: "ann@x.example"},
		`"Ann, B" <ann@x.example>`:       {Name: "Ann, B", Email: "ann@x.example"},
		"ann@x.example Ann":              {Name: "Ann", Email: "ann@x.example"},
		"Ann, ann@x.example":             {Name: "Ann", Email: "ann@x.example"},
		"mailto:ann@x.example?subject=x": {Email: "ann@x.example"},
		"Ann (the":                       {Name: "Ann (the"},
		"Ann) B (":                       {Name: "Ann) B ("},
		"Ann (Paris)":                    {Name: "Ann (Paris)"},
		"  Ann \n  B ":                   {Name: "Ann B"},
		"ann@x.example, bob@x.example":   {Name: "ann@x.example", Email: "bob@x.example"},
		"Ann @ the Paper":                {Name: "Ann @ the Paper"},
		"@ann":                           {Name: "@ann"},
		"<ann>":                          {Name: "<ann>"},
	} {
		if got := person(in); got != want {
			t.Errorf("person(%q) = %+v, want %+v", in, got, want)
		}
	}
}

// A second mention of a person completes the first, and makes no second one (P-35).
func TestAddPerson(t *testing.T) {
	var list []feed.Person
	for _, p := range []feed.Person{{Name: "Ann"}, {}, {Name: "ann", Email: "a@x"}, {Name: "Ann", URL: "https://x"}, {Name: "Ann", Email: "b@x"}, {Name: "Bob"}} {
		list = (&Document{}).addPerson(list, p)
	}
	want := []feed.Person{{Name: "Ann", Email: "a@x", URL: "https://x"}, {Name: "Ann", Email: "b@x"}, {Name: "Bob"}}
	if !slices.Equal(list, want) {
		t.Errorf("%+v, want %+v", list, want)
	}
}

// Documents whose structure is odd give their entries all the same (P-02, P-07, PEERS 30, 31).
func TestOddStructure(t *testing.T) {
	const atomNS = ` xmlns="http://www.w3.org/2005/Atom"`
	tests := []struct {
		name, doc string
		ids       []string
	}{
		{"items beside the channel", `<rss><channel><title>T</title></channel><item><guid>1</guid></item><item><guid>2</guid></item></rss>`, []string{"1", "2"}},
		{"no channel", `<rss version="2.0"><item><guid>1</guid></item></rss>`, []string{"1"}},
		{"channel is the root", `<channel><title>T</title><item><guid>1</guid></item></channel>`, []string{"1"}},
		{"RSS in Atom's namespace", `<rss` + atomNS + ` version="2.0"><channel><link>https://x</link><item><guid>1</guid></item></channel></rss>`, []string{"1"}},
		{"RSS in its own namespace", `<rss xmlns="http://backend.userland.com/RSS2" version="2.0"><channel><item><guid>1</guid></item></channel></rss>`, []string{"1"}},
		{"RSS in a namespace of nobody's", `<rss xmlns="urn:none" version="2.0"><channel><item><guid>1</guid></item></channel></rss>`, []string{"1"}},
		{"undeclared prefixes", `<rss:rss><rss:channel><rss:item><rss:guid>1</rss:guid></rss:item></rss:channel></rss:rss>`, []string{"1"}},
		{"capitals", `<RSS><CHANNEL><ITEM><GUID>1</GUID></ITEM></CHANNEL></RSS>`, []string{"1"}},
		{"items without end tags", `<rss><channel><item><guid>1</guid><item><guid>2</guid></channel></rss>`, []string{"1", "2"}},
		{"fields without end tags", `<rss><channel><item><guid>1</guid><title>one<description>d</item><item><guid>2</guid></item></channel></rss>`, []string{"1", "2"}},
		{"an item of some extension", `<rss xmlns:x="urn:x"><channel><x:item><guid>no</guid></x:item><item><guid>1</guid><x:item><guid>no</guid></x:item></item></channel></rss>`, []string{"1"}},
		{"ids of a source", `<feed` + atomNS + `><entry><source><id>no</id><title>no</title><link href="http://no/"/></source><id>1</id></entry></feed>`, []string{"1"}},
		{"an entry in RSS", `<rss xmlns:a="http://www.w3.org/2005/Atom"><channel><a:entry><a:id>1</a:id></a:entry></channel></rss>`, []string{"1"}},
		{"empty and false ids", `<rss><channel><item><guid/></item><item><guid>0</guid></item><item><guid> </guid></item></channel></rss>`, []string{"", "0", ""}},
		{"several ids", `<rss><channel><item><guid></guid><guid>1</guid></item></channel></rss>`, []string{"1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := readWith([]byte(tt.doc), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, e := range f.Entries {
				ids = append(ids, e.ID)
			}
			if !slices.Equal(ids, tt.ids) {
				t.Errorf("ids %q, want %q (%v)", ids, tt.ids, f.Repairs)
			}
		})
	}
}

// Elements of other vocabularies with the names of RSS never replace its own, but
// stand in where there is nothing else (P-43).
func TestNamesake(t *testing.T) {
	doc := `<rss xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><itunes:summary>S</itunes:summary>
	<item><media:title>m</media:title><itunes:title>i</itunes:title><title>own</title><description>own</description><media:description>m</media:description></item>
	<item><media:group><media:title>m</media:title><media:description>d</media:description></media:group></item></channel></rss>`
	f, err := readWith([]byte(doc), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e := f.Entries[0]; e.Title.Value != "own" || e.Content.Value != "own" {
		t.Errorf("%+v", e)
	}
	if e := f.Entries[1]; e.Title.Value != "m" || e.Content.Value != "d" || f.Subtitle.Value != "S" {
		t.Errorf("%+v", e)
	}
}

// Durations and sizes as podcasts write them.
func TestClock(t *testing.T) {
	for in, want := range map[string]string{"90": "1m30s", "1:30": "1m30s", "1:02:03": "1h2m3s", " 00:10 ": "10s", "12.5": "12.5s", "": "0s", "x": "0s", "1:2:3:4": "0s", "-5": "0s", "NaN": "0s", "1e99": "0s", "9999999:0:0": "0s"} {
		if got := clock(in).String(); got != want {
			t.Errorf("clock(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]int64{"123": 123, "1,234": 1234, "-1": 0, "": 0, "12 MB": 0, "99999999999999999999": 0} {
		if got := length(in); got != want {
			t.Errorf("length(%q) = %d, want %d", in, got, want)
		}
	}
}

// A number of replies is never negative, and one that no int holds is unknown.
func TestReplyCount(t *testing.T) {
	for in, want := range map[string]int{"12": 12, " 3 ": 3, "-1": 0, "": 0, "many": 0, "99999999999999999999": 0} {
		f, err := read([]byte(`<rss><channel><item><guid>1</guid><slash:comments>` + in + `</slash:comments></item></channel></rss>`))
		if err != nil || f.Entries[0].Replies.Count != want {
			t.Errorf("%q: %+v, %v, want %d", in, f, err, want)
		}
	}
}

// Positions in the three ways feeds write them (P-42).
func TestPlaces(t *testing.T) {
	const ns = `<rss xmlns:georss="http://www.georss.org/georss" xmlns:gml="http://www.opengis.net/gml" xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#"><channel><item>`
	for in, want := range map[string]feed.Place{
		`<georss:point>35.7 51.4</georss:point>`:                                                {Type: "Point", Points: [][2]float64{{51.4, 35.7}}},
		`<georss:point>35.7,51.4</georss:point><georss:featurename>Tehran</georss:featurename>`: {Type: "Point", Points: [][2]float64{{51.4, 35.7}}, Name: "Tehran"},
		`<georss:line>1 2 3 4</georss:line>`:                                                    {Type: "LineString", Points: [][2]float64{{2, 1}, {4, 3}}},
		`<georss:box>1 2 3 4</georss:box>`:                                                      {Type: "Box", Points: [][2]float64{{2, 1}, {4, 3}}},
		`<georss:polygon>1 2 3 4 5 6 1 2</georss:polygon>`:                                      {Type: "Polygon", Points: [][2]float64{{2, 1}, {4, 3}, {6, 5}, {2, 1}}},
		`<georss:where><gml:Point><gml:pos>1 2</gml:pos></gml:Point></georss:where>`:            {Type: "Point", Points: [][2]float64{{2, 1}}},
		`<georss:where><gml:Envelope><gml:lowerCorner>1 2</gml:lowerCorner><gml:upperCorner>3 4</gml:upperCorner></gml:Envelope></georss:where>`: {Type: "Box", Points: [][2]float64{{2, 1}, {4, 3}}},
		`<geo:lat>1</geo:lat><geo:long>2</geo:long>`:                        {Type: "Point", Points: [][2]float64{{2, 1}}},
		`<geo:Point><geo:lat>1</geo:lat><geo:long>2</geo:long></geo:Point>`: {Type: "Point", Points: [][2]float64{{2, 1}}},
		`<georss:point>91 0</georss:point>`:                                 {}, `<georss:point>x y</georss:point>`: {}, `<georss:point>1</georss:point>`: {}, `<georss:line>1 2</georss:line>`: {}, `<georss:point>NaN NaN</georss:point>`: {},
	} {
		f, err := readWith([]byte(ns+in+`</item></channel></rss>`), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got feed.Place
		if p := f.Entries[0].Places; len(p) > 0 {
			got = p[0]
		}
		if got.Type != want.Type || got.Name != want.Name || !slices.Equal(got.Points, want.Points) {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}
