package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/versions"
)

// versionsPage is the data of the page of an item's versions.
type versionsPage struct {
	Item     *feed.Item
	Heading  string
	Path     string
	Versions []versionRow
	From, To int // what the form begins with
	More     int // versions that are not listed, older ones
}

// maxListed is how many versions a page lists.
const maxListed = 200

// revisions serves /items/{id}/revisions, as a page and as JSON.
func (s *Server) revisions(w http.ResponseWriter, r *http.Request) {
	if s.asJSON(w, r, &itemRevisions) {
		return
	}
	id, err := feed.ParseItemID(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	all, err := s.versions(r.Context(), id)
	if err != nil {
		s.failItem(w, r, "", err)
		return
	}
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	it := &all[len(all)-1]
	p := versionsPage{Item: it, Path: s.pageOf(id), Heading: heading(it), From: all[max(0, len(all)-2)].Revision, To: it.Revision, More: max(0, len(all)-maxListed)}
	for i, v := range slices.Backward(all) {
		if len(p.Versions) == maxListed {
			break
		}
		row := versionRow{Revision: v.Revision, At: v.Revised, Digest: v.Digest.String(), Page: p.Path + "?revision=" + strconv.Itoa(v.Revision)}
		if i > 0 {
			row.Diff = s.diffPage(id, all[i-1].Revision, v.Revision) // between them may be some that are lost
		}
		p.Versions = append(p.Versions, row)
	}
	fr.Title = "Versions of " + shorten(p.Heading, longTabTitle) + " · " + fr.Site
	fr.JSON = p.Path + "/revisions.json"
	fr.Body = p
	s.show(w, r, "revisions", fr)
}

// heading is a title for an item that may have none.
func heading(it *feed.Item) string {
	if t := html.Neutral(html.Plain(it.Title)); t != "" {
		return shorten(t, longHeading)
	}
	if t := html.Excerpt(versions.Body(it), 80); t != "" {
		return t
	}
	return cmp.Or(shorten(plainLine(it.URL), longTitle), "Untitled")
}

// diffData is the data of the page with the difference of two versions.
type diffData struct {
	Item     *feed.Item
	Heading  string
	Path     string
	Old, Now *feed.Item
	Fields   []diffField
	Inline   bool
	Other    string // the other view
	Newer    string // the difference to the next version; empty if there is none
	Older    string
	Cut      bool // more than a page shows
}

// diffField is a part of an item that differs.
type diffField struct {
	Name string
	Same int // percent of the longer text that stayed; 100 is all but a letter
	Rows []diffRow
}

// diffRow is a paragraph, or a number of unchanged ones that are left out.
type diffRow struct {
	Old, New, Both []diffPiece
	Skipped        int
}

// diffPiece is a run of a paragraph. Op is "=", "-" or "+".
type diffPiece struct{ Op, Text string }

// maxDiff is how many bytes of text the page of a difference has; all of it is in the
// JSON.
const maxDiff = 200 << 10

// fieldTitles name fields for people.
var fieldTitles = map[string]string{
	"title": "Title", "authors": "Authors", "published": "Date of publication", "url": "Address", "text": "Text", "summary": "Summary",
	"links": "Links", "pictures": "Pictures", "categories": "Categories", "files": "Files",
}

// diff serves /items/{id}/diff?from=1&to=2, as a page and as JSON.
func (s *Server) diff(w http.ResponseWriter, r *http.Request) {
	if s.asJSON(w, r, &itemDiff) {
		return
	}
	id, err := feed.ParseItemID(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	form, err := readForm(diffForm, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	from, _ := strconv.Atoi(form.Get("from")) // they were checked
	to, _ := strconv.Atoi(form.Get("to"))
	if from == 0 || to == 0 {
		s.diffOfNewest(w, r, id, from, to)
		return
	}
	old, now, err := s.pair(r.Context(), id, from, to)
	if err != nil {
		s.failItem(w, r, "", err)
		return
	}
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	p := diffData{Item: now, Heading: heading(now), Path: s.pageOf(id), Old: old, Now: now, Inline: form.Get("view") == "inline"}
	here := s.diffPage(id, from, to)
	p.Other = here
	if !p.Inline {
		p.Other += "&view=inline"
	}
	if first, last := min(from, to), max(from, to); first < last {
		if last < now.Revisions {
			p.Newer = s.diffPage(id, last, last+1)
		}
		if first > 1 {
			p.Older = s.diffPage(id, first-1, first)
		}
	}
	left := maxDiff
	for _, f := range versions.Compare(old, now) {
		rows, size := rowsOf(f.Changes, left)
		left -= size
		p.Cut = p.Cut || left <= 0
		p.Fields = append(p.Fields, diffField{Name: fieldTitles[f.Name], Same: int(100 * versions.Share(f.Changes)), Rows: rows})
	}
	fr.Title = fmt.Sprintf("Version %d and %d of %s · %s", from, to, shorten(p.Heading, longTabTitle), fr.Site)
	fr.Wide = true
	fr.JSON = fmt.Sprintf("%s/diff.json?from=%d&to=%d", p.Path, from, to)
	fr.Body = p
	s.show(w, r, "diff", fr)
}

// diffOfNewest leads to what the newest version changed, or, where one of the two
// versions was named, to what it became or what it was before. An item of one version
// has a page that says so: the list of its versions.
func (s *Server) diffOfNewest(w http.ResponseWriter, r *http.Request, id feed.ItemID, from, to int) {
	now, err := s.version(r.Context(), id, 0)
	if err != nil {
		s.failItem(w, r, "", err)
		return
	}
	page := s.pageOf(id) + "/revisions"
	if now.Revisions > 1 || from != 0 || to != 0 {
		to = cmp.Or(to, now.Revisions)
		page = s.diffPage(id, cmp.Or(from, max(1, to-1)), to)
	}
	s.redirect(w, r, http.StatusFound, page, "public, max-age=60") // a further version leads elsewhere
}

// rowsOf sets changes out in paragraphs, up to a number of bytes, and says how many
// they have. Unchanged paragraphs are left out but for those beside a change.
func rowsOf(changes []html.Change, most int) (rows []diffRow, size int) {
	var cur diffRow
	put := func(op html.Op, text string) {
		if text == "" {
			return
		}
		p := diffPiece{op.String(), text}
		if op != html.Insert {
			cur.Old = append(cur.Old, p)
		}
		if op != html.Delete {
			cur.New = append(cur.New, p)
		}
		cur.Both = append(cur.Both, p)
	}
	flush := func() {
		if len(cur.Both) > 0 {
			rows = append(rows, cur)
		}
		cur = diffRow{}
	}
	for i := 0; i < len(changes) && size <= most; i++ {
		c := changes[i]
		size += len(c.Text)
		lines := strings.Split(c.Text, "\n")
		var instead []string // what replaced it, paragraph by paragraph
		if c.Op == html.Delete && i+1 < len(changes) && changes[i+1].Op == html.Insert {
			i++
			size += len(changes[i].Text)
			instead = strings.Split(changes[i].Text, "\n")
		}
		for k := range max(len(lines), len(instead)) {
			if k > 0 {
				flush()
			}
			if k < len(lines) {
				put(c.Op, lines[k])
			}
			if k < len(instead) {
				put(html.Insert, instead[k])
			}
		}
	}
	flush()
	return skipEqual(rows), size
}

// changed reports whether a paragraph differs.
func (r diffRow) changed() bool {
	return slices.ContainsFunc(r.Both, func(p diffPiece) bool { return p.Op != "=" })
}

// skipEqual replaces unchanged paragraphs that are not beside a changed one by their
// number.
func skipEqual(rows []diffRow) []diffRow {
	keep := make([]bool, len(rows))
	for i, r := range rows {
		if r.changed() {
			for j := max(0, i-1); j <= min(len(rows)-1, i+1); j++ {
				keep[j] = true
			}
		}
	}
	var out []diffRow
	for i := range rows {
		switch n := len(out); {
		case keep[i]:
			out = append(out, rows[i])
		case n > 0 && out[n-1].Skipped > 0:
			out[n-1].Skipped++
		default:
			out = append(out, diffRow{Skipped: 1})
		}
	}
	return out
}

// asJSON serves an operation of the API at the address of a page with .json at its
// end, and reports whether it was asked for.
func (s *Server) asJSON(w http.ResponseWriter, r *http.Request, op *operation) bool {
	if !strings.HasSuffix(r.URL.Path, ".json") {
		return false
	}
	s.operate(w, r, op)
	return true
}
