package web

import (
	"html/template"
	"net/http"
	"strings"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/publish/render"
)

// itemPage is the data of the page of an item.
type itemPage struct {
	Entry   *render.Entry
	Item    *feed.Item
	Content template.HTML
	Digest  string
}

// item serves /items/{id} and /items/{id}.json.
func (s *Server) item(w http.ResponseWriter, r *http.Request) {
	text, isJSON := strings.CutSuffix(r.PathValue("id"), ".json")
	id, err := feed.ParseItemID(text)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	it, err := s.lib.Item(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	src := s.lib.Source(it.Source)
	if isJSON {
		b, err := s.itemJSON(it, true)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		s.content(w, r, append(b, '\n'), "public, max-age=300")
		return
	}
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	// Nothing is loaded from elsewhere for a page (SEC-18).
	policy := html.DefaultPolicy()
	policy.NoImages = true
	e := render.Prepare(it, render.Context{
		Source: src, Others: s.lib.Source, Label: s.label(r),
		Page:   func(id feed.ItemID) string { return s.lib.Base() + "/items/" + id.String() },
		Policy: policy,
	})
	fr.Title = e.Heading() + " · " + fr.Site
	// Sanitized by feed/html: elements and attributes of a short list.
	fr.Body = itemPage{Entry: &e, Item: it, Content: template.HTML(reachable(e.HTML)), Digest: it.Digest.String()} //nolint:gosec // see above
	s.show(w, r, "item", fr)
}
