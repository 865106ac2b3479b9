package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"chancery/feed/feedtest"
)

// costOfPages are the pages of which issue 9 bounds the cost, each with some variety, so
// that no answer is that of the request before.
func costOfPages(s *site) map[string][]string {
	var items, again []string
	var page struct {
		Items []struct {
			ID        string
			TakenDown bool `json:"taken_down"`
		}
	}
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+"/api/v1/items?limit=40&content=false", nil))
	must(s.t, json.Unmarshal(rec.Body.Bytes(), &page))
	for _, it := range page.Items {
		if it.TakenDown {
			continue // its page is an error, and cheap
		}
		items = append(items, "/items/"+it.ID)
		again = append(again, "/items/"+it.ID+"?why=all")
	}
	var sources, sourcesJSON []string
	for _, b := range blogs {
		sources = append(sources, "/sources/"+string(b.ID))
		sourcesJSON = append(sourcesJSON, "/api/v1/sources/"+string(b.ID))
	}
	revised := s.item(guidRevised)
	return map[string][]string{
		"home": {"/"}, "topic": {"/topics/iran", "/topics/iraq", "/topics/mek"}, "search": {"/search?q=camp+ashraf", "/search?q=topic%3Amek+lang%3Aen", "/search?q=archive"},
		"builder":     {"/?topic=iran&topic=mek", "/?topic=mek&not=iraq&words=camp", "/?source=ashraf-watch&lang=en"},
		"search, all": {"/search", "/search?order=oldest", "/search?copies=1"}, "search, ranked": {"/search?q=camp+iran&order=relevance", "/search?q=camp+OR+council&order=relevance"},
		"search, narrow": {"/search?q=iran+topic%3Amek+published%3A2019..2022+lang%3Aen"}, "search, none": {"/search?q=camp+ashraf+zanzibar+topic%3Amek"},
		"search, versions": {"/search?q=camp&all_versions=true", "/search?q=camp&as_of=2030-01-01"},
		"item":             items, "item, marked": again, "item, revised": {revised, revised + "?revision=1"}, "difference": {revised + "/diff?from=1&to=3", revised + "/diff?from=1&to=2&view=inline"},
		"versions": {revised + "/revisions"}, "source": sources, "status": {"/status"}, "api": {"/api"}, "openapi.json": {"/api/v1/openapi.json"},
		"api items": {"/api/v1/items", "/api/v1/items?topic=mek", "/api/v1/items?by=arrival&order=oldest"}, "api search": {"/api/v1/search?q=camp+ashraf&facets=true", "/api/v1/search?q=exiles"},
		"api sources": sourcesJSON, "api statistics": {"/api/v1/statistics"},
	}
}

// Issue 9, figures: in an archive of 100,000 items each page costs at most 50 ms of CPU
// (95th percentile) and 100 KB sent. CHANCERY_COST is how many items: without it a small
// archive is asked, whose times say little, and only the sizes are held to.
func TestPagesCost(t *testing.T) {
	if testing.Short() {
		t.Skip("makes an archive")
	}
	posts, _ := strconv.Atoi(cmp.Or(os.Getenv("CHANCERY_COST"), "3000"))
	s := newSite(t, siteOptions{posts: posts})
	ask := func(path string) (cpu time.Duration, sent int) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Accept", "text/html")
		rec := httptest.NewRecorder()
		before := feedtest.CPU(t)
		s.handler.ServeHTTP(rec, r)
		cpu = feedtest.CPU(t) - before
		if rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		return cpu, rec.Body.Len()
	}
	pages := costOfPages(s)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		var cold time.Duration
		var took []time.Duration
		most := 0
		for round := range 5 {
			for _, path := range pages[name] {
				cpu, sent := ask(path)
				most = max(most, sent)
				if round == 0 {
					cold = max(cold, cpu)
				}
				took = append(took, cpu)
			}
		}
		slices.Sort(took)
		p50, p95 := took[len(took)/2], took[len(took)*95/100]
		t.Logf("%-16s %3d asked: median %7.2f ms, p95 %7.2f ms, dearest first %7.2f ms CPU; %6.1f KB sent", name, len(took), ms(p50), ms(p95), ms(cold), float64(most)/1000)
		if most > 100_000 {
			t.Errorf("%s: %d bytes sent", name, most)
		}
		if os.Getenv("CHANCERY_COST") != "" && p95 > 50*time.Millisecond {
			t.Errorf("%s: p95 %v of CPU", name, p95)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
