package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chancery/aggregator"
	"chancery/aggregator/schedule"
)

// The API can be asked for sources in every state that polling may give them, and
// refuses what is none by name.
func TestStatesAreKnown(t *testing.T) {
	s := newSite(t, siteOptions{empty: true})
	ask := func(state string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		s.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/sources?state="+state, nil))
		return rec
	}
	for _, state := range append(schedule.Conditions(), aggregator.Merged, "imported") {
		if rec := ask(state); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", state, rec.Code, rec.Body)
		}
	}
	if rec := ask("abc"); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `state: \"abc\" is none of ok, new, quiet`) || !strings.Contains(rec.Body.String(), `"parameter":"state"`) {
		t.Errorf("abc: %d %s", rec.Code, rec.Body)
	}
}
