package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"chancery/aggregator"
)

// exposed are our metrics as a running daemon gives them, by name.
func exposed(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	d, _ := runDaemon(t, nil)
	d.meters.polled(aggregator.Polled{Outcome: "failed", Class: "timeout", Took: time.Second})
	ask(t, d.publicHandler(), http.MethodGet, "/feeds/iran.atom", nil)
	now := prometheus.NewRegistry()
	now.MustRegister(stateMetrics{d})
	all, err := prometheus.Gatherers{d.meters.registry, now}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*dto.MetricFamily{}
	for _, f := range all {
		by[f.GetName()] = f
	}
	return by
}

var documented = regexp.MustCompile("(?m)^\\| `((?:chancery)_[a-z_]+)` \\| (counter|gauge|histogram) \\|([^|]*)\\|")

// OPS-28: docs/metrics.md names every metric of ours with its type and labels, and
// none that there is not; no label carries a name or an address.
func TestMetricsDocumented(t *testing.T) {
	have := exposed(t)
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, m := range documented.FindAllStringSubmatch(string(doc), -1) {
		name, kind := m[1], m[2]
		var labels []string
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		said[name] = true
		f := have[name]
		if f == nil {
			t.Errorf("%s is documented and not exposed", name)
			continue
		}
		if got := strings.ToLower(f.GetType().String()); got != kind {
			t.Errorf("%s is a %s, documented as a %s", name, got, kind)
		}
		var got []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			got = append(got, l.GetName())
		}
		slices.Sort(labels)
		if !slices.Equal(got, labels) {
			t.Errorf("%s has the labels %q, documented %q", name, got, labels)
		}
	}
	for name, f := range have {
		if strings.HasPrefix(name, "chancery_") && !said[name] {
			t.Errorf("%s is exposed and not documented", name)
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.Contains(l.GetValue(), "example") || strings.Contains(l.GetValue(), "://") {
					t.Errorf("%s has the label %s=%q", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
}

// OPS-28: what the daemon records is counted with how long it took to be durable.
func TestCommitsCounted(t *testing.T) {
	have := exposed(t) // the sources of the configuration are recorded at the start
	for _, name := range []string{"chancery_archive_commit_seconds", "chancery_archive_sync_seconds"} {
		f := have[name]
		if f == nil || f.GetMetric()[0].GetHistogram().GetSampleCount() == 0 {
			t.Errorf("%s counted nothing: %v", name, f)
		}
	}
}

// OPS-28: what dashboard and alert rules ask for is there.
func TestDashboardAndAlerts(t *testing.T) {
	have := exposed(t)
	asked := regexp.MustCompile(`\b((?:chancery|go|process)_[a-z0-9_]+)\b`)
	for _, file := range []string{"grafana-dashboard.json", "prometheus-alerts.yaml"} {
		b, err := os.ReadFile(filepath.Join("../../packaging", file))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range asked.FindAllStringSubmatch(string(b), -1) {
			name := m[1]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); have[base] != nil && have[base].GetType() == dto.MetricType_HISTOGRAM {
					name = base
				}
			}
			found++
			if have[name] == nil {
				t.Errorf("%s asks for %s, which there is not", file, m[1])
			}
		}
		if found < 10 {
			t.Errorf("%s asks for %d metrics only", file, found)
		}
	}
}

// The words for paths are of a closed set, whatever is asked for.
func TestKindOf(t *testing.T) {
	for path, want := range map[string]string{
		"/feeds/iran.atom": "atom", "/base/feeds/iran+mek.rss": "rss", "/t/secret/feeds/a.json": "json", "/feeds/iran": "feed",
		"/feeds/iran/archive/x/1.atom": "atom", "/api/v1/items": "api", "/static/style.css": "static", "/hub": "hub",
		"/search": "search", "/search.atom": "search", "/": "page", "/items/x": "page", "/hubris": "page", "/../../etc": "page",
	} {
		if got := kindOf(path); got != want {
			t.Errorf("kindOf(%q) = %q, want %q", path, got, want)
		}
	}
}

// OPS-28, OPS-26: what cannot be stored shows in metrics, readiness and needs until
// it can be again.
func TestNotStored(t *testing.T) {
	d, _ := runDaemon(t, func(c *Config) { c.Sources = nil }) // a poll that is stored would say that all is well
	admin := d.adminHandler()
	if w := ask(t, admin, http.MethodGet, "http://localhost/readyz", nil); w.Code != http.StatusOK {
		t.Fatalf("ready: %d %s", w.Code, w.Body)
	}
	d.polled(aggregator.Polled{Outcome: "not_stored", Err: errFullForTest})
	if w := ask(t, admin, http.MethodGet, "http://localhost/readyz", nil); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "storing: archive is full") {
		t.Errorf("full: %d %s", w.Code, w.Body)
	}
	if w := ask(t, admin, http.MethodGet, "http://localhost/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("the process is not well with a full disk: %d", w.Code)
	}
	if w := ask(t, admin, http.MethodGet, "http://localhost/metrics", nil); !strings.Contains(w.Body.String(), "chancery_archive_storing 0") ||
		!strings.Contains(w.Body.String(), `chancery_needs_person{event="archive"} 1`) {
		t.Error("metrics say nothing of it")
	}
	d.polled(aggregator.Polled{Outcome: "not_modified"})
	if w := ask(t, admin, http.MethodGet, "http://localhost/readyz", nil); w.Code != http.StatusOK {
		t.Errorf("after room was made: %d %s", w.Code, w.Body)
	}
}
