package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"chancery/store"
)

// adminHandler answers on metrics_listen only (CONFORMANCE OPS-28).
func (d *daemon) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { // the process answers
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		text, ready := d.readiness(r.Context())
		status := http.StatusOK
		if !ready {
			status = http.StatusServiceUnavailable
		}
		plain(w, status, text)
	})
	mux.Handle("GET /metrics", d.meters.expose(stateMetrics{d}))
	return secured(knownHost(mux, func() []string { return d.current.Load().config.Server.MetricsHosts }))
}

// readiness says for each part whether it does its work, a line each.
func (d *daemon) readiness(ctx context.Context) (text string, ready bool) {
	var b strings.Builder
	ready = true
	say := func(part string, err error) {
		switch {
		case err == nil:
			fmt.Fprintf(&b, "%s: ok\n", part)
			return
		case errors.Is(err, store.ErrLost) && !errors.Is(err, store.ErrReadOnly): // all else works
		default:
			ready = false
		}
		fmt.Fprintf(&b, "%s: %s\n", part, oneLine(err.Error(), 500))
	}
	for _, p := range d.probes() {
		if p.part != "listener" { // this answer is one
			say(p.part, answers(ctx, patience/2, p.ask))
		}
	}
	if lost := d.lost.Load(); lost != nil {
		say("storing", *lost)
	} else {
		say("storing", nil)
	}
	return b.String(), ready
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// knownHost refuses requests under a name that is not ours: a page that a browser
// on this machine shows could make its own name lead here and read what it gets
// (DNS rebinding, CONFORMANCE SEC-23). Addresses and localhost are no such names;
// others are those of metrics_hosts.
func knownHost(h http.Handler, names func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && host != "localhost" && host != "" && !slices.Contains(names(), host) {
			plain(w, http.StatusMisdirectedRequest, "metrics are not served under this name; metrics_hosts in [server] allows it\n")
			return
		}
		h.ServeHTTP(w, r)
	})
}
