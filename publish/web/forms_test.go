package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// absent is a library that nothing may be asked of, but for what an error page may.
type absent struct{ Library }

func (absent) Base() string  { return "https://feeds.example.org" }
func (absent) Private() bool { return false }
func (absent) Index() bool   { return false }

// badValues are values that a parameter does not take; none for a text that is free.
func badValues(p *param) []string {
	bad := []string{"\xff"}
	switch p.kind {
	case aNumber:
		bad = append(bad, "x", "1e1", "1.5", "0x1", strconv.Itoa(p.least-1), strconv.Itoa(p.most+1), "-1", "99999999999999999999")
	case aSwitch:
		bad = append(bad, "yes", "TRUE", "2")
	case aDate:
		bad = append(bad, "notadate", "yesterday", "2009", "2009-13-01", "2009-02-30", "2009-01-01T25:00:00Z", "01.02.2009")
	case anID:
		bad = append(bad, "No Id", "-x", strings.Repeat("x", 65))
	case anItem:
		bad = append(bad, "x")
	case aText:
		if len(p.choices) > 0 {
			bad = append(bad, "none of these", strings.ToUpper(p.choices[0]))
		}
		if p.most > 0 {
			bad = append(bad, strings.Repeat("x", p.most+1))
		}
	}
	return bad
}

// A value that a parameter of a page does not take is refused with its name, before
// anything is read: it is never an answer to another question (SEC-27).
func TestFormsRefuse(t *testing.T) {
	s, err := New(absent{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	item := "/items/00000000000000000000000000"
	for path, table := range map[string][]param{
		"/": homeForm, item: itemForm, item + ".bib": itemForm, item + "/diff": diffForm,
	} {
		for i := range table {
			for _, v := range badValues(&table[i]) {
				rec := httptest.NewRecorder()
				q := url.Values{table[i].name: {v}}
				s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+"?"+q.Encode(), nil))
				if body := rec.Body.String(); rec.Code != http.StatusBadRequest || !strings.HasPrefix(body, table[i].name+": ") && !strings.HasPrefix(body, strings.ToUpper(table[i].name[:1])+table[i].name[1:]+": ") {
					t.Errorf("%s with %s=%q: %d %s", path, table[i].name, v, rec.Code, body)
				}
			}
		}
	}
	for _, path := range []string{"/?how=any&how=all", item + "?revision=1&revision=2", item + "/diff?from=1&to=1&to=2"} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "more than once") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	// The search shows what is wrong in its own page.
	for i := range searchPageForm {
		p := &searchPageForm[i]
		for _, v := range badValues(p) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search?"+url.Values{"q": {"iran"}, p.name: {v}}.Encode(), nil)
			if _, problem := readSearchForm(r); !strings.Contains(problem, p.name+": ") {
				t.Errorf("the search with %s=%q says %q", p.name, v, problem)
			}
		}
	}
	// Search feeds have the parameters of their own list.
	for name, bad := range map[string][]string{
		"order": {"best", "Newest"}, "limit": {"0", "-1", "x", "501", "1.5"}, "as_of": {"notadate", "2009-13-01"}, "cursor": {"x", "1.x", "-1.x", "2."}, "q": {"(", "\xff"},
	} {
		for _, v := range bad {
			form := url.Values{"q": {"iran"}}
			form.Set(name, v)
			if _, err := readSearch(form); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("a search feed with %s=%q: %v", name, v, err)
			}
		}
	}
}

// Parameters without a closed set of values are those that are listed here: one that
// is added without saying what it takes fails this test.
func TestFreeParameters(t *testing.T) {
	free := []string{"q", "cursor", "words", "lang", "why", "v"}
	tables := map[string][]param{"home": homeForm, "search": searchPageForm, "item": itemForm, "diff": diffForm, "static": staticForm}
	for _, op := range operations() {
		tables[op.id] = op.params
	}
	for name, table := range tables {
		for _, p := range table {
			if p.kind == aText && len(p.choices) == 0 && !slices.Contains(free, p.name) {
				t.Errorf("%s: %s takes any text", name, p.name)
			}
			if p.kind == aNumber && p.most == 0 {
				t.Errorf("%s: %s is a number without a bound", name, p.name)
			}
		}
	}
}

// Query strings are read through the tables: a handler that reads one by itself could
// take what nobody checks.
func TestFormsAreChecked(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains([]string{
			"forms.go", "apiargs.go", // the tables
			"searchfeed.go", // its own, in readSearch
			"api.go",        // the link to the next page, of what was checked
			"feeds.go",      // feeds have no parameters: what is given is dropped
			"itemname.go",   // hands it on to the address with the whole id
			"web.go",        // hands it on to the clean form of a path
		}, name) {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, reads := range []string{"r.URL.Query(", "r.URL.RawQuery", "url.ParseQuery(", ".FormValue(", ".ParseForm(", "r.Form."} {
			if strings.Contains(string(b), reads) {
				t.Errorf("%s reads the query string by itself: %s", name, reads)
			}
		}
	}
}
