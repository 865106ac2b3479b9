package web

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"chancery/publish/render"
)

// restless is a library whose feeds change faster than they are made.
type restless struct {
	absent
	asked int
}

func (r *restless) Feed(context.Context, string) (*Feed, error) {
	r.asked++
	return &Feed{Name: "iran", Feed: &render.Feed{}, Formats: allFormats, Bytes: func(context.Context, render.Format, bool) ([]byte, error) { return nil, ErrStale }}, nil
}

// A feed that has changed whenever it was made is asked for some times, and then again
// by the reader: it is nobody's fault, and no line in the log.
func TestFeedThatKeepsChanging(t *testing.T) {
	var said bytes.Buffer
	lib := &restless{}
	s, err := New(lib, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/feeds/iran.atom", nil))
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || rec.Header().Get("Etag") != "" || lib.asked < 2 {
		t.Errorf("%d after %d times: %v", rec.Code, lib.asked, rec.Header())
	}
	if said.Len() > 0 {
		t.Errorf("the log says %s", said.String())
	}
}
