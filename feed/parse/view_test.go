package parse

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"chancery/feed"
	feedhtml "chancery/feed/html"
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
	v := map[string]any{"doc": map[string]any{"encoding": labelsOf(d.Charset()), "version": string(f.Format)}}
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
	if f.Updated.Raw == "" && f.Published.Raw == "" && (f.Format == feed.JSON10 || f.Format == feed.JSON11) && len(f.Entries) > 0 {
		// JSON Feed has no dates of the feed: they are those of its newest item.
		dates(head, "updated", f.Entries[0].Updated)
		dates(head, "published", f.Entries[0].Published)
	}
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
	extensions(head, f.Extensions, c)
	v["feed"] = head
	var entries []any
	for i := range f.Entries {
		entries = append(entries, entryView(&f.Entries[i], c))
	}
	v["entries"] = entries
	return v
}

// labelsOf is a charset by its own name and by those that mean the same in the
// WHATWG table.
func labelsOf(name string) any {
	out := anyOf{name}
	for _, l := range []string{"us-ascii", "iso-8859-1", "gb18030", "gb2312", "EUC-KR", "SHIFT_JIS", "TIS-620"} {
		if _, n, ok := lookup(l); ok && n == name {
			out = append(out, l)
		}
	}
	return out
}

func entryView(e *feed.Entry, c suiteCase) map[string]any {
	summary, content := e.Summary, e.Content
	m := map[string]any{
		"title": shown(e.Title, c), "title_detail": detail(e.Title, e.Language, c), "link": e.URL, "id": e.ID, "guid": e.ID, "language": e.Language,
		"rights": shown(e.Rights, c), "rights_detail": detail(e.Rights, e.Language, c),
		"author": authorOf(e.Authors, c), "authors": people2(e.Authors), "contributors": people2(e.Contributors),
		"links": links(e.Links), "tags": tags(e.Categories), "comments": e.Comments,
	}
	if e.ID == "" {
		// An entry without id is known by its link (P-67).
		m["id"], m["guid"] = e.URL, e.URL
	}
	if len(e.Links) == 0 && e.URL != "" {
		m["links"] = []any{map[string]any{"rel": "alternate", "href": e.URL}}
	}
	for _, p := range e.Places[:min(1, len(e.Places))] {
		var points []any
		for _, x := range p.Points {
			points = append(points, []any{x[0], x[1]})
		}
		m["where"] = map[string]any{"type": p.Type, "coordinates": points}
		m["geo_lat"], m["geo_long"] = middle(p.Points)
	}
	for _, r := range e.Replies.InReplyTo {
		m["thr_in-reply-to"] = map[string]any{"ref": r.Ref, "href": r.URL, "type": r.Type, "source": r.Source}
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
	m["content"], m["content_list"] = shown(content, c), list
	dates(m, "updated", e.Updated)
	dates(m, "published", e.Published)
	dates(m, "created", e.Published)
	var enc []any
	for _, x := range e.Enclosures {
		enc = append(enc, map[string]any{"url": x.URL, "href": x.URL, "type": x.Type, "length": float64(x.Length)})
	}
	m["enclosures"] = enc
	if e.Image != "" {
		m["image"] = map[string]any{"href": e.Image}
	}
	if o := e.Origin; o != nil {
		s := map[string]any{
			"id": o.ID, "title": shown(o.Title, c), "title_detail": detail(o.Title, e.Language, c), "link": o.URL, "href": o.Self,
			"rights": shown(o.Rights, c), "rights_detail": detail(o.Rights, e.Language, c), "links": links(o.Links), "tags": tags(o.Categories),
			"author": authorOf(o.Authors, c), "authors": people2(o.Authors), "contributors": people2(o.Contributors),
			"subtitle": shown(o.Subtitle, c), "subtitle_detail": detail(o.Subtitle, e.Language, c),
		}
		if len(o.Authors) > 0 {
			s["author_detail"] = person2(o.Authors[0])
		}
		dates(s, "updated", o.Updated)
		extensions(s, o.Extensions, c)
		m["source"] = s
	}
	extensions(m, e.Extensions, c)
	return m
}

// shown is a text as our output shows it: the value as it is kept; then, for HTML,
// with its URLs absolute, and after that sanitized too, since both happen at output.
func shown(t feed.Text, c suiteCase) any {
	if t.Value == "" {
		return nil
	}
	if t.Type == feed.PlainText || t.Type == "" {
		return t.Value
	}
	out := anyOf{t.Value, absolute(t)}
	if t.Type == feed.XHTML && c.House { // with its wrapping div, which some keep
		out = append(out, "<div>"+t.Value+"</div>", "<div>"+absolute(t)+"</div>")
	}
	if c.House {
		out = append(out, feedhtml.Sanitize(t, feedhtml.DefaultPolicy()), strings.TrimSpace(feedhtml.Plain(t)))
	}
	return out
}

// absolute resolves the URLs of links and images in HTML against its base.
func absolute(t feed.Text) string {
	return urlAttr.ReplaceAllStringFunc(t.Value, func(s string) string {
		m := urlAttr.FindStringSubmatch(s)
		return m[1] + resolve(t.Base, strings.TrimSpace(m[2])) + m[3]
	})
}

var urlAttr = regexp.MustCompile(`(\s(?:href|src|cite|action|longdesc)=")([^"]*)(")`)

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
	return []any{
		float64(t.Year()), float64(t.Month()), float64(t.Day()), float64(t.Hour()), float64(t.Minute()), float64(t.Second()),
		float64((int(t.Weekday()) + 6) % 7), float64(t.YearDay()), float64(0),
	}
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
func extensions(m map[string]any, list []feed.Extension, c suiteCase) {
	for _, x := range list {
		name := strings.ToLower(x.Name)
		if key := prefixOf(x.Space); key != "" && key != "dcterms" {
			name = key + "_" + name
		}
		switch name {
		case "info":
			m[name], m["info_detail"] = shown(asText(x), c), detail(asText(x), "", c)
		case "generator":
			m["generator_detail"] = map[string]any{"name": x.Value, "url": attrOf(x, "uri", "url"), "href": attrOf(x, "uri", "url"), "version": attrOf(x, "version")}
		case "itunes_block", "itunes_explicit":
			m[name] = map[bool]float64{true: 1}[strings.EqualFold(x.Value, "yes")]
		case "itunes_owner", "dc_publisher", "webmaster":
			p := person(x.Value)
			for _, ch := range x.Children {
				switch ch.Name {
				case "email":
					p.Email = ch.Value
				case "name":
					p.Name = ch.Value
				}
			}
			m["publisher_detail"], m["publisher"] = person2(p), personName(p.Name, p.Email)
		case "docs", "wfw_comment":
			m[name] = anyOf{x.Value, resolve(c.Base, x.Value)}
		case "media_thumbnail", "media_content":
			list, _ := m[name].([]any)
			m[name] = append(list, attrsOf(x))
		case "media_group":
			extensions(m, x.Children, c)
		case "creativecommons_license", "license", "cc_license":
			m["license"] = anyOf{x.Value, attrOf(x, "resource", "href")}
		case "image", "textinput":
			ch := map[string]any{}
			for _, y := range x.Children {
				v := any(y.Value)
				ch[strings.ToLower(y.Name)] = v
				if y.Name == "url" {
					ch["href"] = v
				}
			}
			m[name] = ch
			if old, ok := m[name].(map[string]any); ok && len(old) == 0 {
				delete(m, name)
			}
		case "chapters", "psc_chapters":
			var ch []any
			for _, y := range x.Children {
				ch = append(ch, attrsOf(y))
			}
			a := attrsOf(x)
			a["chapters"] = ch
			m["psc_chapters"] = a
		case "expirationdate":
			var d feed.Date
			d.Time, _, _ = readDate(x.Value, orderUnknown)
			dates(m, "expired", d)
		case "created":
			var d feed.Date
			d.Raw = x.Value
			d.Time, _, _ = readDate(x.Value, orderUnknown)
			dates(m, "created", d)
			m["created"] = x.Value
		case "valid":
			for part := range strings.SplitSeq(x.Value, ";") {
				k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
				if t, _, ok := readDate(v, orderUnknown); ok {
					m["validity_"+k+"_parsed"] = tuple(t)
				}
			}
		default:
			if _, ok := m[name]; ok {
				continue
			}
			if m[name] = x.Value; x.Value == "" && len(x.Attrs) > 0 {
				m[name] = attrsOf(x)
			}
		}
	}
}

func attrsOf(x feed.Extension) map[string]any {
	m := map[string]any{}
	for _, a := range x.Attrs {
		m[a.Name] = a.Value
	}
	return m
}

func attrOf(x feed.Extension, names ...string) string {
	for _, n := range names {
		for _, a := range x.Attrs {
			if a.Name == n {
				return a.Value
			}
		}
	}
	return ""
}

// asText reads a text construct that was kept as an extension.
func asText(x feed.Extension) feed.Text {
	t := feed.Text{Type: feed.HTML, Value: x.Value}
	for _, a := range x.Attrs {
		switch a.Name {
		case "type":
			t.Type = feed.TextType(a.Value)
		case "base":
			t.Base = a.Value
		case "lang":
			t.Lang = a.Value
		}
	}
	return t
}

// middle is the middle of a shape's bounds, as feedparser's users compute it.
func middle(points [][2]float64) (lat, long any) {
	if len(points) == 1 {
		return strconv.FormatFloat(points[0][1], 'f', -1, 64), strconv.FormatFloat(points[0][0], 'f', -1, 64)
	}
	lo, hi := points[0], points[0]
	for _, p := range points {
		for i := range p {
			lo[i], hi[i] = min(lo[i], p[i]), max(hi[i], p[i])
		}
	}
	return fmt.Sprintf("%.6f", (lo[1]+hi[1])/2), fmt.Sprintf("%.6f", (lo[0]+hi[0])/2)
}

func prefixOf(space string) string {
	for key, uri := range canonical {
		if uri == space && key != nsAtom && key != "atom03" {
			return key
		}
	}
	return ""
}
