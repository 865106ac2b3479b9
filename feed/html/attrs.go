package html

import (
	"slices"
	"strings"
)

// maxAttrs is more than any element may have: six of its own and the global ones.
const maxAttrs = 12

// attrs writes the allowed attributes of the current tag but those of except, each
// name once, and reports whether a link's address is among them.
func (w *shaper) attrs(el *element, except ...string) (href bool) {
	var seen [maxAttrs]string
	names := seen[:0]
	for key, val := range w.scan.attrs() {
		if strings.HasPrefix(key, "on") {
			w.report.Active++
			continue
		}
		k := el.attrs[key]
		if k == 0 {
			k = global[key]
		}
		if k == 0 || slices.Contains(names, key) || slices.Contains(except, key) || len(names) == cap(seen) {
			continue
		}
		names = append(names, key) // HTML keeps the first of several
		val, ok := w.value(k, val)
		if !ok {
			continue
		}
		href = href || k == linkURL
		w.out = append(w.out, ' ')
		w.out = append(w.out, key...)
		w.out = append(w.out, '=', '"')
		w.out = appendEscaped(w.out, val)
		w.out = append(w.out, '"')
	}
	return href
}

// value is an attribute's value in its canonical form, or false if it may not
// stay.
func (w *shaper) value(k attrKind, val string) (string, bool) {
	switch k {
	case plainText:
		val = strings.TrimSpace(cleanText(val))
		return val, val != "" && len(val) <= 4096
	case linkURL:
		abs, _ := w.resolve(val)
		if abs == "" && strings.Contains(val, ":") {
			w.report.Active++
		}
		return abs, abs != ""
	case webURL, secureURL:
		abs, scheme := w.webURL(val)
		return abs, abs != "" && (k == webURL || scheme == "https")
	case imageSet:
		set := w.imageSet(val)
		return set, set != ""
	case number:
		return val, val != "" && len(val) <= 5 && strings.Trim(val, "0123456789") == ""
	case dimension:
		val = strings.TrimSuffix(strings.TrimSpace(val), "px")
		n := strings.TrimSuffix(val, "%")
		return val, n != "" && len(n) <= 5 && strings.Trim(n, "0123456789") == ""
	case language:
		return val, val != "" && len(val) <= 35 && only(val, "-")
	case direction:
		val = strings.ToLower(val)
		return val, val == "ltr" || val == "rtl" || val == "auto"
	case present:
		return "", true
	case oneOf:
		return val, val != "" && len(val) <= 16 && only(val, "-")
	case mediaType:
		return val, val != "" && len(val) <= 120 && only(val, "/+-.;=, \"")
	case mediaQuery:
		return val, val != "" && len(val) <= 512 && only(val, "()-:.,%/+* \"<=>")
	}
	return "", false
}

// only reports whether s consists of ASCII letters, digits and the characters of
// extra.
func only(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}
