package selfscore

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	day = 24 * time.Hour
	// A conditional request is polite after an hour, an unconditional one after a day.
	soonest       = time.Hour
	soonestUncond = day
)

// Server is the web of pretend sites and what it saw. It is an http.RoundTripper,
// safe for concurrent use.
type Server struct {
	now   func() time.Time
	mu    sync.Mutex // guards sites' records
	sites []*site
	hosts map[string]*site
	lost  []string // requests to hosts that there are not
}

// NewServer makes the sites; now is the clock, simulated or not. The sites live
// from now on.
func NewServer(now func() time.Time) *Server {
	s := &Server{now: now, hosts: map[string]*site{}}
	start := now()
	for _, script := range scripts() {
		x := &site{script: script, start: start, urls: map[string]*record{}, bad: map[string]int{}}
		x.host = script.name + ".test"
		s.sites = append(s.sites, x)
		s.hosts[x.host] = x
	}
	return s
}

// Feeds lists the addresses to subscribe to.
func (s *Server) Feeds() []string {
	var out []string
	for _, x := range s.sites {
		out = append(out, x.feed())
	}
	return out
}

// ByHand lists the feeds that a person refreshes now and then.
func (s *Server) ByHand() []string {
	var out []string
	for _, x := range s.sites {
		if x.byHand {
			out = append(out, x.feed())
		}
	}
	return out
}

// site is one pretend site and its records.
type site struct {
	script
	host  string
	start time.Time
	urls  map[string]*record
	asked int
	bad   map[string]int
	// holdUntil is before when the site wants no request at all.
	holdUntil time.Time
	notes     []string
}

func (x *site) feed() string {
	scheme := "https"
	if x.plain {
		scheme = "http"
	}
	return scheme + "://" + x.host + "/feed"
}

// record is what was asked of one address, and what it has given.
type record struct {
	requests, conditional, unchanged int
	last                             time.Time
	closest                          time.Duration
	etag, modified                   string    // given last
	given                            bool      // validators are to be sent
	redirects                        bool      // there are none to be sent: it only leads elsewhere
	bare                             time.Time // the last request without validators
	etags, dates                     []string
}

// visit is one request as a script sees it.
type visit struct {
	*http.Request
	since time.Duration // since the site began
	now   time.Time
	n     int // requests to this address before
}

// answer is what a script gives back.
type answer struct {
	status int
	header []string // names and values in turn
	body   string
	etag   string
	date   string // Last-Modified
	cut    bool   // the body ends before its end
	page   bool   // a web page: its validators are not those of the feed (F-58)
	hold   time.Duration
}

// RoundTrip answers a request and counts what is wrong with it.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.hosts[r.URL.Hostname()]
	if x == nil {
		s.lost = append(s.lost, r.URL.String())
		return nil, fmt.Errorf("no such host: %s", r.URL.Host)
	}
	now := s.now()
	key := r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
	u := x.urls[key]
	if u == nil {
		u = &record{closest: 1 << 62}
		x.urls[key] = u
	}
	x.check(r, u, now)
	v := visit{Request: r, since: now.Sub(x.start), now: now, n: u.requests}
	u.requests++
	u.last = now
	x.asked++
	a := x.answer(v)
	if a.hold > 0 {
		if until := now.Add(a.hold); until.After(x.holdUntil) {
			x.holdUntil = until
		}
	}
	resp := a.response(r, now)
	u.redirects = resp.StatusCode >= 301 && resp.StatusCode != 304 && resp.StatusCode <= 308
	switch {
	case resp.StatusCode == http.StatusNotModified:
		u.unchanged++
		u.issue(resp.Header, true)
	case resp.StatusCode == http.StatusOK && !a.cut && !a.page:
		u.issue(resp.Header, false)
	}
	return resp, nil
}

// issue remembers the validators of an answer.
func (u *record) issue(h http.Header, unchanged bool) {
	etag, date := h.Get("Etag"), h.Get("Last-Modified")
	if !unchanged || etag != "" {
		u.etag = etag
	}
	if !unchanged || date != "" {
		u.modified = date
	}
	u.given = u.etag != "" || u.modified != ""
	u.etags, u.dates = append(u.etags, etag), append(u.dates, date)
}

// fault counts something bad, and keeps the first few for showing.
func (x *site) fault(kind string, now time.Time, format string, args ...any) {
	x.bad[kind]++
	if len(x.notes) < 10 {
		x.notes = append(x.notes, fmt.Sprintf("%s: day %.2f: %s: ", x.name, now.Sub(x.start).Hours()/24, kind)+fmt.Sprintf(format, args...))
	}
}

// permitted are the fields that a poll may carry.
var permitted = []string{"Accept", "Accept-Encoding", "User-Agent", "If-None-Match", "If-Modified-Since"}

// check judges a request before it is answered.
func (x *site) check(r *http.Request, u *record, now time.Time) {
	etag, date := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
	conditional := etag != "" || date != ""
	if conditional {
		u.conditional++
	}
	if u.requests > 0 {
		gap := now.Sub(u.last)
		u.closest = min(u.closest, gap)
		least := soonest
		if !conditional && !u.redirects {
			least = soonestUncond
			if u.given && (x.again == 0 || now.Sub(u.bare) < x.again) {
				x.fault("unconditional", now, "validators %q and %q were given", u.etag, u.modified)
			}
		}
		if gap < least && !x.byHand {
			x.fault("too soon", now, "after %v, want %v", gap, least)
		}
	} else if conditional {
		x.fault("made up", now, "first request carries %q and %q", etag, date)
	}
	judge := func(got, last string, all []string) {
		switch {
		case got == last:
		case got == "" && conditional:
			x.fault("left out", now, "%q was given", last)
		case got != "" && slices.Contains(all, got):
			x.fault("out of sequence", now, "%q, the last was %q", got, last)
		case got != "":
			x.fault("made up", now, "%q was never given", got)
		}
	}
	if !conditional {
		u.bare = now
	}
	if u.requests > 0 {
		judge(etag, u.etag, u.etags)
		judge(date, u.modified, u.dates)
	}
	if now.Before(x.holdUntil) {
		x.fault("not waited", now, "%v too early", x.holdUntil.Sub(now))
	}
	for name := range r.Header {
		if name == "Cookie" || name == "Referer" {
			x.fault(strings.ToLower(name), now, "%s", r.Header.Get(name))
		} else if !slices.Contains(permitted, name) {
			x.fault("field", now, "%s: %s", name, r.Header.Get(name))
		}
	}
	if r.URL.RawQuery != "" || r.URL.Fragment != "" {
		x.fault("query", now, "%s", r.URL)
	}
	if r.Method != http.MethodGet {
		x.fault("method", now, "%s", r.Method)
	}
	if !slices.Contains(append([]string{"/feed"}, x.paths...), r.URL.Path) {
		x.fault("made-up URL", now, "%s", r.URL)
	}
	if ua := r.UserAgent(); !strings.HasPrefix(ua, "chancery/") || !strings.Contains(ua, "(+https://") {
		x.fault("agent", now, "%s", ua)
	}
	if x.stopped != nil && x.stopped(now.Sub(x.start)) && r.URL.Path == "/feed" {
		x.fault("not stopped", now, "%s", r.URL)
	}
}

func (a answer) response(r *http.Request, now time.Time) *http.Response {
	h := http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}
	for i := 0; i+1 < len(a.header); i += 2 {
		h.Add(a.header[i], a.header[i+1])
	}
	if a.etag != "" {
		h["Etag"] = []string{a.etag}
	}
	if a.date != "" {
		h["Last-Modified"] = []string{a.date}
	}
	resp := &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Request: r, Body: http.NoBody,
	}
	if a.body != "" {
		h.Set("Content-Type", "application/rss+xml; charset=utf-8")
		resp.ContentLength = int64(len(a.body))
		body := []byte(a.body)
		if a.cut {
			body = body[:len(body)/2]
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	return resp
}
