package main

import (
	"net/http"
	"strconv"
	"time"
)

// publicHandler is the public side as readers meet it: counted, bounded for each
// client, and with headers that keep a browser from doing anything with an answer
// that it is not meant for.
func (d *daemon) publicHandler() http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.current.Load().handler.ServeHTTP(w, r)
	})
	return d.meters.counted(secured(d.bounded(inner)))
}

// bounded refuses clients that ask too often (CONFORMANCE SEC-25).
func (d *daemon) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client, counted := d.clients.Of(r); counted {
			if wait, ok := d.rate.Take(client, time.Now()); !ok {
				d.meters.limited.Inc()
				w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
				plain(w, http.StatusTooManyRequests, "too many requests; ask less often, with If-None-Match\n")
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// Header values that every answer has unless its handler says otherwise
// (CONFORMANCE SEC-18).
var (
	noSniff       = []string{"nosniff"}
	noReferrer    = []string{"no-referrer"}
	noFrames      = []string{"DENY"}
	noContent     = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	noPermissions = []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
)

// secured gives every answer of h the headers above; handlers of pages, which load a
// style sheet, set their own.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := w.Header()
		to["X-Content-Type-Options"] = noSniff
		to["Referrer-Policy"] = noReferrer
		to["X-Frame-Options"] = noFrames
		to["Content-Security-Policy"] = noContent
		to["Permissions-Policy"] = noPermissions
		h.ServeHTTP(w, r)
	})
}
