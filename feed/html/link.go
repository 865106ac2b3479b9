package html

import (
	"net/url"
	"strings"

	"golang.org/x/net/html/atom"
)

// frame writes a link to what a frame or an embedded player would have shown.
func (w *shaper) frame() {
	w.report.Frames++
	var src, lazy, title string
	for key, val := range w.scan.attrs() {
		switch key {
		case "src":
			src = val
		case "data-src", "data-lazy-src":
			lazy = val
		case "title":
			title = val
		}
	}
	abs, _ := w.webURL(src)
	if abs == "" {
		abs, _ = w.webURL(lazy)
	}
	if abs == "" || w.player() != nil {
		return
	}
	w.cell()
	w.closeA()
	w.flush()
	w.link(abs, title)
}

// link writes a link by itself. The label is the URL if there is none.
func (w *shaper) link(abs, label string) {
	label = strings.TrimSpace(cleanText(label))
	if label == "" {
		label = abs
	}
	if w.has(atom.A) {
		w.out = appendEscaped(w.out, label)
		return
	}
	w.out = append(w.out, `<a href="`...)
	w.out = appendEscaped(w.out, abs)
	w.out = append(w.out, `" rel="`+rel+`">`...)
	w.out = appendEscaped(w.out, label)
	w.out = append(w.out, "</a>"...)
}

// webURL is the absolute http or https URL of ref, or "".
func (w *shaper) webURL(ref string) (abs, scheme string) {
	if ref == "" {
		return "", ""
	}
	abs, scheme = w.resolve(ref)
	if scheme == "mailto" {
		return "", ""
	}
	return abs, scheme
}

// resolve makes ref absolute, unless too much has been already: a long base would
// let many short references take time and space out of proportion.
func (w *shaper) resolve(ref string) (abs, scheme string) {
	if w.spent > w.limit {
		return "", ""
	}
	abs, scheme = w.urls.resolve(ref)
	w.spent += len(abs)
	return abs, scheme
}

// tracker reports whether abs is on the policy's list.
func (w *shaper) tracker(abs string) bool {
	if len(w.policy.Trackers) == 0 {
		return false
	}
	u, err := url.Parse(abs)
	if err != nil {
		return false
	}
	for _, t := range w.policy.Trackers {
		host, path, _ := strings.Cut(t, "/")
		rest, ok := strings.CutSuffix(u.Host, host)
		if ok && (rest == "" || strings.HasSuffix(rest, ".")) && strings.HasPrefix(strings.TrimPrefix(u.Path, "/"), path) {
			return true
		}
	}
	return false
}
