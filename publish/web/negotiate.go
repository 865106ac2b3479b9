package web

import (
	"strconv"
	"strings"

	"chancery/publish/render"
)

// etagMatches reports whether a list of If-None-Match holds tag, by the weak
// comparison that RFC 9110 §13.1.2 asks for, or is "*".
func etagMatches(lists []string, tag string) bool {
	for _, list := range lists {
		for list != "" {
			list = strings.TrimLeft(list, " \t,")
			if list == "" {
				break
			}
			if list[0] == '*' {
				return true
			}
			list = strings.TrimPrefix(list, "W/")
			if list == "" || list[0] != '"' {
				// No entity tag: skip to the next member of the list.
				_, list, _ = strings.Cut(list, ",")
				continue
			}
			end := strings.IndexByte(list[1:], '"')
			if end < 0 {
				break
			}
			if list[:end+2] == tag {
				return true
			}
			list = list[end+2:]
		}
	}
	return false
}

// codings reads Accept-Encoding (RFC 9110 §12.5.3): whether to send gzip, and
// whether plain is acceptable.
func codings(lists []string) (gz, identity bool) {
	if len(lists) == 1 {
		switch lists[0] { // what nearly everybody sends
		case "gzip", "gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd":
			return true, true
		}
	}
	const unset = -1.0
	qGzip, qIdentity, qAny := unset, unset, unset
	for _, list := range lists {
		for member := range strings.SplitSeq(list, ",") {
			name, q := weighted(member)
			switch strings.ToLower(name) {
			case "gzip", "x-gzip":
				qGzip = q
			case "identity":
				qIdentity = q
			case "*":
				qAny = q
			}
		}
	}
	if qGzip == unset {
		qGzip = max(qAny, 0)
	}
	if qIdentity == unset {
		qIdentity = 1e-4 // acceptable, but any coding that is named is preferred
		if qAny == 0 {
			qIdentity = 0
		}
	}
	return qGzip > 0 && qGzip >= qIdentity, qIdentity > 0
}

// weighted splits "name;q=0.5". A weight that cannot be read is 0: who cannot say
// how much it wants something gets something else.
func weighted(member string) (name string, q float64) {
	name, params, _ := strings.Cut(member, ";")
	q = 1
	for p := range strings.SplitSeq(params, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(k), "q") {
			continue
		}
		var err error
		if q, err = strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil || q < 0 || q > 1 {
			q = 0
		}
	}
	return strings.TrimSpace(name), q
}

// negotiate picks the format that Accept likes best (RFC 9110 §12.5.1); ties and
// silence go to the first that is served. Who accepts none gets one all the same,
// as the standard allows: a reader that asks wrongly still wants the feed.
func negotiate(lists []string, served [len(render.Formats)]bool) render.Format {
	best, bestQ, found := render.FormatAtom, -1.0, false
	for _, f := range render.Formats {
		if !served[f] {
			continue
		}
		if q := quality(lists, f); !found || q > bestQ {
			best, bestQ, found = f, q, true
		}
	}
	return best
}

// quality is the weight of a format by the most specific range that names it.
func quality(lists []string, f render.Format) float64 {
	q, specific := 0.0, -1
	for _, list := range lists {
		for member := range strings.SplitSeq(list, ",") {
			name, w := weighted(member)
			s := specificity(strings.ToLower(name), f)
			if s > specific || s == specific && s >= 0 && w > q {
				q, specific = w, s
			}
		}
	}
	return q
}

// specificity is how exactly a media range names a format: 3 the type, 2 a type
// that it is a kind of, 1 and 0 for ranges, -1 not at all.
func specificity(name string, f render.Format) int {
	switch name {
	case f.MediaType():
		return 3
	case "application/json":
		if f == render.FormatJSON {
			return 2
		}
	case "application/xml", "text/xml":
		if f != render.FormatJSON {
			return 2
		}
	case "application/*":
		return 1
	case "*/*":
		return 0
	}
	return -1
}
