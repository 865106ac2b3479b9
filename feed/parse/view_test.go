package parse

import (
	"errors"
	"strings"
	"time"

	"chancery/feed"
)

// isNamed reports whether an error is of this package's closed set.
func isNamed(err error) bool {
	var e *Error
	var l *LimitError
	return errors.As(err, &e) || errors.As(err, &l)
}

// viewOf shows a feed in the words of feedparser's model, which most suites'
// paths are of.
func viewOf(d *Document, f *feed.Feed, c suiteCase) map[string]any {
	v := map[string]any{"doc": map[string]any{"encoding": strings.ToLower(d.Charset()), "version": string(f.Format)}}
	head := map[string]any{
		"title": shown(f.Title, c), "title_detail": detail(f.Title, f.Language, c),
		"link": f.URL, "id": f.ID, "language": f.Language, "generator": f.Generator,
		"description": shown(f.Subtitle, c), "info": shown(f.Subtitle, c), "tagline": shown(f.Subtitle, c), "subtitle": shown(f.Subtitle, c),
		"tagline_detail": detail(f.Subtitle, f.Language, c), "info_detail": detail(f.Subtitle, f.Language, c), "subtitle_detail": detail(f.Subtitle, f.Language, c),
		"rights": shown(f.Rights, c), "copyright": shown(f.Rights, c), "rights_detail": detail(f.Rights, f.Language, c), "copyright_detail": detail(f.Rights, f.Language, c),
		"author": authorOf(f.Authors, c), "authors": people2(f.Authors), "contributors": people2(f.Contributors),
		"links": links(f.Links), "tags": tags(f.Categories),
	}
	dates(head, "updated", f.Updated)
	dates(head, "published", f.Published)
	if len(f.Authors) > 0 {
		head["author_detail"] = person2(f.Authors[0])
	}
	if len(f.Categories) > 0 {
		head["category"] = f.Categories[0].Term
	}
	if f.Image != "" {
		head["image"] = map[string]any{"href": f.Image, "url": f.Image}
		head["logo"] = f.Image
	}
	if cl := f.Hints.Cloud; cl != nil {
		head["cloud"] = map[string]any{"domain": cl.Domain, "registerprocedure": cl.Procedure, "path": cl.Path, "protocol": cl.Protocol}
	}
	extensions(head, f.Extensions)
	v["feed"] = head
	var entries []any
	for i := range f.Entries {
		entries = append(entries, entryView(&f.Entries[i], c))
	}
	v["entries"] = entries
	return v
}

func entryView(e *feed.Entry, c suiteCase) map[string]any {
	summary, content := e.Summary, e.Content
	m := map[string]any{
		"title": shown(e.Title, c), "title_detail": detail(e.Title, e.Language, c), "link": e.URL, "id": e.ID, "guid": e.ID, "language": e.Language,
		"rights": shown(e.Rights, c), "rights_detail": detail(e.Rights, e.Language, c),
		"author": authorOf(e.Authors, c), "authors": people2(e.Authors), "contributors": people2(e.Contributors),
		"links": links(e.Links), "tags": tags(e.Categories), "comments": e.Comments, "wfw_comment": "",
	}
	if len(e.Authors) > 0 {
		m["author_detail"] = person2(e.Authors[0])
	}
	if summary.IsZero() {
		summary = content
	} else if content.IsZero() {
		content = summary
	}
	m["summary"], m["description"] = shown(summary, c), shown(summary, c)
	m["summary_detail"] = detail(summary, e.Language, c)
	list := []any{}
	det, _ := detail(content, e.Language, c).(map[string]any)
	if e.ContentURL != "" {
		det = map[string]any{"src": e.ContentURL, "type": e.ContentType}
	} else if e.ContentType != "" && det != nil {
		det["type"] = e.ContentType
	}
	if det != nil {
		list = append(list, det)
	}
	if strings.HasPrefix(c.Suite, "feedparser") || c.Suite == "venus" {
		m["content"] = contentList{list, shown(content, c)}.value()
	} else {
		m["content"] = shown(content, c)
	}
	m["content_list"] = list
	dates(m, "updated", e.Updated)
	dates(m, "published", e.Published)
	var enc []any
	for _, x := range e.Enclosures {
		enc = append(enc, map[string]any{"url": x.URL, "href": x.URL, "type": x.Type, "length": float64(x.Length)})
	}
	m["enclosures"] = enc
	if e.Image != "" {
		m["image"] = map[string]any{"href": e.Image}
	}
	if o := e.Origin; o != nil {
		s := map[string]any{"id": o.ID, "title": shown(o.Title, c), "title_detail": detail(o.Title, e.Language, c), "link": o.URL, "href": o.Self,
			"rights": shown(o.Rights, c), "rights_detail": detail(o.Rights, e.Language, c), "links": links(o.Links), "tags": tags(o.Categories),
			"author": authorOf(o.Authors, c), "authors": people2(o.Authors)}
		if len(o.Authors) > 0 {
			s["author_detail"] = person2(o.Authors[0])
		}
		dates(s, "updated", o.Updated)
		extensions(s, o.Extensions)
		m["source"] = s
	}
	extensions(m, e.Extensions)
	return m
}

// contentList is content as some suites mean it: the text, or a list of them.
type contentList struct {
	list  []any
	first any
}

func (c contentList) value() any { return c.first }

// shown is a text's value, in the ways that a suite may want to see it.
func shown(t feed.Text, _ suiteCase) any {
	if t.Value == "" {
		return nil
	}
	return t.Value
}

func detail(t feed.Text, lang string, c suiteCase) any {
	if t.Value == "" {
		return nil
	}
	typ := map[feed.TextType]string{feed.HTML: "text/html", feed.XHTML: "application/xhtml+xml"}[t.Type]
	if typ == "" {
		typ = "text/plain"
	}
	if t.Lang != "" {
		lang = t.Lang
	}
	return map[string]any{"value": shown(t, c), "type": typ, "language": lang, "base": t.Base}
}

func dates(m map[string]any, key string, d feed.Date) {
	m[key+"_raw"] = d.Raw
	if !d.IsZero() {
		m[key] = d.Time.UTC().Format("2006-01-02T15:04:05Z")
		m[key+"_parsed"] = tuple(d.Time)
	}
}

// tuple is Python's struct_time in UTC.
func tuple(t time.Time) []any {
	t = t.UTC()
	return []any{float64(t.Year()), float64(t.Month()), float64(t.Day()), float64(t.Hour()), float64(t.Minute()), float64(t.Second()),
		float64((int(t.Weekday()) + 6) % 7), float64(t.YearDay()), float64(0)}
}

func authorOf(list []feed.Person, c suiteCase) any {
	if len(list) == 0 {
		return nil
	}
	var names []string
	for _, p := range list {
		names = append(names, personName(p.Name, p.Email))
	}
	alone := list[0].Name
	if alone == "" {
		alone = list[0].Email
	}
	bare := make([]string, len(list))
	for i, p := range list {
		bare[i] = p.Name
	}
	return anyOf{names[0], strings.Join(bare, ", "), alone}
}

func person2(p feed.Person) map[string]any {
	return map[string]any{"name": p.Name, "email": p.Email, "href": p.URL, "url": p.URL}
}

func people2(list []feed.Person) []any {
	var out []any
	for _, p := range list {
		out = append(out, person2(p))
	}
	return out
}

func links(list []feed.Link) []any {
	var out []any
	for _, l := range list {
		out = append(out, map[string]any{"rel": l.Rel, "href": l.Href, "type": l.Type, "title": l.Title, "hreflang": l.HrefLang, "length": float64(l.Length)})
	}
	return out
}

func tags(list []feed.Category) []any {
	var out []any
	for _, c := range list {
		out = append(out, map[string]any{"term": c.Term, "scheme": c.Scheme, "label": c.Label})
	}
	return out
}

// extensions adds elements without a field of their own under feedparser's names.
func extensions(m map[string]any, list []feed.Extension) {
	for _, x := range list {
		key := prefixOf(x.Space)
		name := strings.ToLower(x.Name)
		if key != "" {
			name = key + "_" + name
		}
		if _, ok := m[name]; !ok {
			m[name] = x.Value
		}
	}
}

func prefixOf(space string) string {
	for key, uri := range canonical {
		if uri == space && key != nsAtom && key != "atom03" {
			return key
		}
	}
	return ""
}
