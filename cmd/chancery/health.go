package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// adminHandler answers on metrics_listen only (CONFORMANCE OPS-28).
func (d *daemon) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { // the process answers
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := d.archive.Ping(r.Context()); err != nil {
			d.log.ErrorContext(r.Context(), "not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "the archive does not answer: "+err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /metrics", d.metrics)
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// metrics writes the state in the text format of Prometheus. Labels are bounded:
// states of sources, never their names or addresses.
func (d *daemon) metrics(w http.ResponseWriter, r *http.Request) {
	e := &Env{Config: d.current.Load().config, Archive: d.archive, DataDir: d.dir, Daemon: d}
	s, err := e.status(r.Context(), time.Now().UTC())
	if err != nil {
		d.log.ErrorContext(r.Context(), "metrics", "error", err)
		http.Error(w, "the archive does not answer", http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	gauge := func(name, help string, value any) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %v\n", name, help, name, name, value)
	}
	fmt.Fprintf(&b, "# HELP chancery_build_info The program.\n# TYPE chancery_build_info gauge\nchancery_build_info{version=%q} 1\n", s.Version)
	gauge("chancery_start_time_seconds", "When the daemon started, seconds since 1970.", d.started.Unix())
	gauge("chancery_archive_items", "Items in the archive.", s.Archive.Items)
	gauge("chancery_archive_revisions", "Versions of items in the archive.", s.Archive.Revisions)
	gauge("chancery_archive_stories", "Stories in the archive.", s.Archive.Stories)
	gauge("chancery_archive_records", "Records in the log.", s.Archive.Records)
	gauge("chancery_archive_bytes", "Size of all files of the archive.", s.Archive.Bytes)
	gauge("chancery_sources_due", "Sources whose poll is due.", s.Due)
	gauge("chancery_sources_lag_seconds", "How long the most overdue source has been waiting.", s.LagSeconds)
	b.WriteString("# HELP chancery_sources Sources by state.\n# TYPE chancery_sources gauge\n")
	states := make([]string, 0, len(s.Sources))
	for state := range s.Sources {
		states = append(states, state)
	}
	slices.Sort(states)
	for _, state := range states {
		fmt.Fprintf(&b, "chancery_sources{state=%q} %d\n", state, s.Sources[state])
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}
