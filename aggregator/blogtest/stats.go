package blogtest

import (
	"maps"
	"net/http"
	"slices"
)

// Request is a request that the world was asked.
type Request struct {
	Method      string
	Host        string
	Path        string
	UserAgent   string
	Header      http.Header // as it came
	Conditional bool        // it carried a validator
	Status      int         // 0 if there was no answer
	Bytes       int         // of the body, as transferred
}

// Stats sums up all requests.
type Stats struct {
	Requests    int
	Conditional int
	NotModified int
	Failed      int // no answer, or a status of 400 and above
	Bytes       int
	ByHost      map[string]int
	UserAgents  map[string]int
}

// maxRequests bounds what is kept: a demo may run for days.
const maxRequests = 10_000

// record keeps account of a request.
func (w *World) record(req *http.Request, host string, status, bytes int) {
	r := Request{
		Method: req.Method, Host: host, Path: req.URL.Path, UserAgent: req.UserAgent(), Header: req.Header.Clone(),
		Conditional: req.Header.Get("If-None-Match") != "" || req.Header.Get("If-Modified-Since") != "", Status: status, Bytes: bytes,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.requests) >= maxRequests {
		w.requests = slices.Delete(w.requests, 0, maxRequests/2)
	}
	w.requests = append(w.requests, r)
	s := &w.stats
	if s.ByHost == nil {
		s.ByHost, s.UserAgents = map[string]int{}, map[string]int{}
	}
	s.Requests++
	s.Bytes += bytes
	s.ByHost[host]++
	s.UserAgents[r.UserAgent]++
	if r.Conditional {
		s.Conditional++
	}
	if status == http.StatusNotModified {
		s.NotModified++
	}
	if status == 0 || status >= 400 {
		s.Failed++
	}
}

// Requests are the last requests, oldest first; up to some thousands are kept.
func (w *World) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

// Stats sums up all requests since the beginning or [World.ResetStats].
func (w *World) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.ByHost, s.UserAgents = maps.Clone(s.ByHost), maps.Clone(s.UserAgents)
	return s
}

// ResetStats forgets the requests so far; what a blog counts for its rate limit
// stays.
func (w *World) ResetStats() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.stats = nil, Stats{}
}
