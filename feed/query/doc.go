package query

import (
	"slices"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/text"

	"golang.org/x/text/unicode/norm"
)

// Doc is an item made ready for matching: its fields as plain text, its language
// and its facts. Words are found when first asked for and kept. A Doc is not
// safe for concurrent use.
type Doc struct {
	// Lang is the language by which words are inflected: what the item says, else
	// a guess ([text.Detect]), else empty.
	Lang  string
	Facts Facts

	fields [numFields]section
}

// Facts is what conditions ask for.
type Facts struct {
	ID        feed.ItemID
	Source    feed.SourceID
	Effective time.Time // published:
	Seen      time.Time // seen:
	Revised   bool
	Duplicate bool
	Enclosure bool
	Tags      []feed.Tag
}

type section struct {
	text  string
	row   *text.Row // nil unless given
	words *words    // nil until asked for
}

// NewDoc prepares an item. sourceTitle is what its source is called, for source:.
func NewDoc(it *feed.Item, sourceTitle string) *Doc {
	return NewDocOf(it, sourceTitle, html.Plain(it.Title), html.Plain(it.Summary), html.Plain(it.Content))
}

// NewDocOf is NewDoc for a caller that has the item's plain texts already.
func NewDocOf(it *feed.Item, sourceTitle, plainTitle, plainSummary, plainContent string) *Doc {
	d := &Doc{Facts: Facts{
		ID: it.ID, Source: it.Source, Effective: it.Effective(), Seen: it.FirstSeen,
		Revised: it.Revision > 1 || it.Revisions > 1, Duplicate: it.IsCopy(),
		Enclosure: len(it.Enclosures) > 0, Tags: it.Topics,
	}}
	d.fields[Title].text = plainTitle
	d.fields[Text].text = body(plainSummary, plainContent)
	var authors, categories []string
	for _, p := range slices.Concat(it.Authors, it.Contributors) {
		authors = append(authors, strings.TrimSpace(p.Name+" "+p.Email))
	}
	for _, c := range it.Categories {
		categories = append(categories, c.Term)
		if c.Label != "" && c.Label != c.Term {
			categories = append(categories, c.Label)
		}
	}
	d.fields[Author].text = strings.Join(authors, "\n")
	d.fields[Category].text = strings.Join(categories, "\n")
	d.fields[Source].text = string(it.Source) + "\n" + sourceTitle
	d.fields[URL].text = it.URL
	d.Lang = text.Language(it.Language, d.fields[Title].text, d.fields[Text].text)
	return d
}

// Use tells the document that the words of a text were found already: a field of
// that text need not be split again. The row must stay as it is while d is used.
func (d *Doc) Use(r *text.Row) {
	for f := range d.fields {
		if d.fields[f].text == r.Text {
			d.fields[f].row = r
		}
	}
}

// Row is what [Doc.Use] gave for a field, or nil.
func (d *Doc) Row(f Field) *text.Row { return d.fields[f].row }

// NewTextDoc prepares a text that is no item. An empty language is guessed.
func NewTextDoc(title, body, lang string) *Doc {
	d := &Doc{}
	d.fields[Title].text, d.fields[Text].text = title, body
	d.Lang = text.Language(lang, title, body)
	return d
}

// body joins summary and content, unless the summary is only the content's
// beginning, as most are: words would count twice.
func body(summary, content string) string {
	switch {
	case content == "":
		return summary
	case summary == "":
		return content
	}
	head := strings.TrimRight(summary, " \n.…[]()>»")
	const enough = 80 // bytes: what follows may be "continue reading" and the like
	if len(head) > enough {
		head = strings.ToValidUTF8(head[:enough], "")
	}
	if strings.Contains(content, head) {
		return content
	}
	return summary + "\n\n" + content
}

// Field is the plain text of a field; Places of it are byte offsets into this.
func (d *Doc) Field(f Field) string { return d.fields[f].text }

// Len is how many words a field has.
func (d *Doc) Len(f Field) int { return len(d.words(f).tokens) }

func (d *Doc) words(f Field) *words {
	if d.fields[f].words == nil {
		d.fields[f].words = newWords(d.fields[f].text)
	}
	return d.fields[f].words
}

// MaxPlaces bounds how many places of one term in one field are looked at; more
// change no answer that a reader could tell.
const MaxPlaces = 10_000

// Places finds the places of a term, by field and then by position. Lengths of
// phrases count in words.
func (d *Doc) Places(t *Term) []Place {
	var places []Place
	for _, f := range t.Fields() {
		w := d.words(f)
		var starts []int32
		switch first := t.Words[0]; {
		case t.Kind == Bare:
			starts = w.places(w.inflected(first.Text, d.Lang))
		case first.Prefix:
			starts = w.places(w.prefixed(first.Text))
		default:
			if form, ok := w.number[first.Text]; ok {
				starts = w.of(form)
			}
		}
		n := 0
		for _, s := range starts {
			if n >= MaxPlaces {
				break
			}
			if p, ok := d.place(t, f, w, int(s)); ok {
				places = append(places, p)
				n++
			}
		}
	}
	return places
}

// Fields lists where a term is looked for.
func (t *Term) Fields() []Field {
	if t.Field == Anywhere {
		return []Field{Title, Text}
	}
	return []Field{t.Field}
}

// place checks the words after the first.
func (d *Doc) place(t *Term, f Field, w *words, at int) (Place, bool) {
	if at+len(t.Words) > len(w.tokens) {
		return Place{}, false
	}
	for i, want := range t.Words[1:] {
		got := w.forms[w.tokens[at+1+i].form]
		if got != want.Text && (!want.Prefix || !strings.HasPrefix(got, want.Text)) {
			return Place{}, false
		}
	}
	p := Place{Field: f, Word: at, Words: len(t.Words), Start: int(w.tokens[at].start), End: int(w.tokens[at+len(t.Words)-1].end)}
	return p, d.Accepts(t, p)
}

// Accepts reports whether the words at p, which are those of t when folded, are
// a place of t: as written where t is exact, and within one author or category; the
// whole id where t is the id of a source.
// It is for matchers that find words another way.
func (d *Doc) Accepts(t *Term, p Place) bool {
	s := d.fields[p.Field].text
	if (p.Field == Author || p.Field == Category || p.Field == Source) && strings.Contains(s[p.Start:p.End], "\n") {
		return false
	}
	if id, ok := t.sourceID(); ok && p.Field == Source {
		return p.Start == 0 && string(d.Facts.Source) == id
	}
	return t.Kind != Exact || t.key[1:] == exactForm(s[p.Start:p.End]) && standsAlone(s, p.Start, p.End)
}

// exactForm is the words of s letter by letter, with what is invisible gone and
// with one space between them, so that =MEK is found in "(MEK)" and ="a b" in
// "a-b".
func exactForm(s string) string {
	var buf [maxPhrase + 1]text.Word
	tokens, _ := text.Scan(s, 0, buf[:0])
	if len(tokens) == 1 && isASCII(s) {
		return s[tokens[0].Start:tokens[0].End]
	}
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(norm.NFC.String(text.Clean(s[t.Start:t.End])))
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// standsAlone reports whether a katakana word at s[start:end] is one, not a part
// of a longer one: each character is a token, but アイランド (island) does not
// speak of イラン (Iran). Other scripts part words by themselves or not at all.
func standsAlone(s string, start, end int) bool {
	return !katakanaMeets(s[:start], s[start:end]) && !katakanaMeets(s[:end], s[end:])
}
