package main

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chancery/aggregator"
	"chancery/store"
	"chancery/store/bolt"
)

// meters are what is counted while the daemon runs; the rest of /metrics is looked
// up when it is asked for (stateMetrics). Every label has a closed set of values:
// never a name, an address or anything else that comes from outside (CONFORMANCE
// OPS-28). docs/metrics.md says what each is for.
type meters struct {
	registry *prometheus.Registry

	polls        *prometheus.CounterVec
	failures     *prometheus.CounterVec
	pollTime     prometheus.Histogram
	pollBytes    prometheus.Counter
	items        *prometheus.CounterVec
	freshness    prometheus.Histogram
	republish    prometheus.Histogram
	commit       prometheus.Histogram
	sync         prometheus.Histogram
	requests     *prometheus.CounterVec
	requestTime  *prometheus.HistogramVec
	requestBytes *prometheus.CounterVec
	limited      prometheus.Counter
	reloads      *prometheus.CounterVec
	reloaded     prometheus.Gauge
}

// lagBuckets are for times from a second to a week.
var lagBuckets = []float64{1, 5, 15, 60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600}

// commitBuckets are for times around the 50 ms that a commit may take, and for disks
// that are slow.
var commitBuckets = []float64{.001, .002, .005, .01, .02, .03, .04, .05, .06, .08, .1, .15, .2, .3, .5, 1, 2.5, 10}

func newMeters() *meters {
	m := &meters{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.CounterOpts { return prometheus.CounterOpts{Name: name, Help: help} }
	m.polls = prometheus.NewCounterVec(counter("chancery_polls_total", "Polls by outcome."), []string{"outcome"})
	m.failures = prometheus.NewCounterVec(counter("chancery_poll_failures_total", "Failed polls by cause."), []string{"class"})
	m.pollTime = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "chancery_poll_seconds", Help: "Time from a request to the end of its answer.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	m.pollBytes = prometheus.NewCounter(counter("chancery_poll_bytes_total", "Bytes of feed documents on the wire."))
	m.items = prometheus.NewCounterVec(counter("chancery_items_total", "What polls brought, by what became of it."), []string{"state"})
	m.freshness = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "chancery_freshness_seconds", Help: "From a post's date of publication until it is in our feeds.", Buckets: lagBuckets,
	})
	m.republish = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "chancery_republish_seconds", Help: "From the commit of an item until it is in our feeds.",
		Buckets: []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300},
	})
	m.commit = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "chancery_archive_commit_seconds", Help: "From handing over what is to be recorded until it is durable.", Buckets: commitBuckets,
	})
	m.sync = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "chancery_archive_sync_seconds", Help: "Writing and syncing the files of one commit.", Buckets: commitBuckets,
	})
	m.requests = prometheus.NewCounterVec(counter("chancery_http_requests_total", "Requests of readers by kind and status."), []string{"kind", "code"})
	m.requestTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "chancery_http_request_seconds", Help: "Time to answer a reader.",
		Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 30},
	}, []string{"kind"})
	m.requestBytes = prometheus.NewCounterVec(counter("chancery_http_response_bytes_total", "Bytes of bodies sent to readers."), []string{"kind"})
	m.limited = prometheus.NewCounter(counter("chancery_http_limited_total", "Requests refused because their client asked too often."))
	m.reloads = prometheus.NewCounterVec(counter("chancery_reloads_total", "Reloads of the configuration by result."), []string{"result"})
	m.reloaded = prometheus.NewGauge(prometheus.GaugeOpts{Name: "chancery_config_loaded_timestamp_seconds", Help: "When the configuration in force was read."})
	m.registry.MustRegister(
		m.polls, m.failures, m.pollTime, m.pollBytes, m.items, m.freshness, m.republish, m.commit, m.sync,
		m.requests, m.requestTime, m.requestBytes, m.limited, m.reloads, m.reloaded,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	// What has not happened yet is 0 and not absent, so that a rule can ask for it.
	for _, outcome := range []string{"fetched", "not_modified", "unchanged", "failed", "not_stored"} {
		m.polls.WithLabelValues(outcome)
	}
	for _, state := range []string{"new", "revised", "duplicate"} {
		m.items.WithLabelValues(state)
	}
	for _, result := range []string{"done", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	m.reloaded.Set(float64(time.Now().Unix()))
	return m
}

// polled counts a poll.
func (m *meters) polled(p aggregator.Polled) {
	m.polls.WithLabelValues(p.Outcome).Inc()
	if p.Class != "" {
		m.failures.WithLabelValues(p.Class).Inc()
	}
	if p.Took > 0 {
		m.pollTime.Observe(p.Took.Seconds())
	}
	m.pollBytes.Add(float64(p.Bytes))
	m.items.WithLabelValues("new").Add(float64(p.New))
	m.items.WithLabelValues("revised").Add(float64(p.Revised))
	m.items.WithLabelValues("duplicate").Add(float64(p.Copies))
}

// committed counts a commit.
func (m *meters) committed(c bolt.Commit) {
	for _, wait := range c.Waits {
		m.commit.Observe(wait.Seconds())
	}
	m.sync.Observe(c.Disk.Seconds())
}

// expose answers /metrics with the meters and what state collects at that moment.
func (m *meters) expose(state prometheus.Collector) http.Handler {
	now := prometheus.NewRegistry()
	now.MustRegister(state)
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, now}, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// counted counts the requests to h.
func (m *meters) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		c := &countingWriter{ResponseWriter: w}
		defer func() {
			kind := kindOf(r.URL.Path)
			if c.code == 0 {
				c.code = http.StatusOK
			}
			m.requests.WithLabelValues(kind, codeText(c.code)).Inc()
			m.requestTime.WithLabelValues(kind).Observe(time.Since(begin).Seconds())
			m.requestBytes.WithLabelValues(kind).Add(float64(c.bytes))
		}()
		h.ServeHTTP(c, r)
	})
}

// kindOf says in a word of a closed set what a path asks for.
func kindOf(path string) string {
	if strings.Contains(path, "/feeds/") {
		for _, format := range []string{"atom", "rss", "json"} {
			if strings.HasSuffix(path, "."+format) {
				return format
			}
		}
		return "feed" // negotiated
	}
	for _, kind := range []string{"api", "static", "hub", "search"} {
		if i := strings.Index(path, "/"+kind); i >= 0 && (len(path) == i+1+len(kind) || strings.ContainsRune("/.", rune(path[i+1+len(kind)]))) {
			return kind
		}
	}
	return "page"
}

// codeText is a status as a label. Handlers choose from a few dozen.
func codeText(code int) string {
	if code < 100 || code > 599 {
		return "other"
	}
	return strconv.Itoa(code)
}

// countingWriter notes the status and size of an answer.
type countingWriter struct {
	http.ResponseWriter
	code  int
	bytes int64
}

// WriteHeader implements http.ResponseWriter.
func (c *countingWriter) WriteHeader(code int) {
	if c.code == 0 && code >= 200 { // those below are not the last
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (c *countingWriter) Write(b []byte) (int, error) {
	if c.code == 0 {
		c.code = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// storing remembers whether what polls bring can be stored.
type storing struct{ atomic.Pointer[error] }

func (s *storing) polled(p aggregator.Polled) {
	switch {
	case p.Outcome == "not_stored" && errors.Is(p.Err, store.ErrQuota): // the source's matter, not the archive's
	case p.Outcome == "not_stored":
		s.Store(&p.Err)
	case s.Load() != nil:
		s.Store(nil)
	}
}

// buildLabels say which program this is.
func buildLabels() prometheus.Labels {
	return prometheus.Labels{"version": versionText(), "go": runtime.Version()}
}
