package parse

import "strings"

// uri is the parts of a reference, as RFC 3986 appendix B takes it apart. A component that is absent differs from
// one that is empty.
type uri struct {
	scheme, authority, path, query, fragment string
	hasAuthority, hasQuery, hasFragment      bool
}

// split takes a reference apart; it works on any text.
func split(s string) (u uri) {
	if i := strings.IndexByte(s, '#'); i >= 0 {
		u.fragment, u.hasFragment, s = s[i+1:], true, s[:i]
	}
	if i := strings.IndexByte(s, '?'); i >= 0 {
		u.query, u.hasQuery, s = s[i+1:], true, s[:i]
	}
	if n := schemeLen(s); n > 0 {
		u.scheme, s = s[:n], s[n+1:]
	}
	if strings.HasPrefix(s, "//") {
		s = s[2:]
		u.hasAuthority = true
		if i := strings.IndexByte(s, '/'); i >= 0 {
			u.authority, s = s[:i], s[i:]
		} else {
			u.authority, s = s, ""
		}
	}
	u.path = s
	return u
}

// schemeLen is the length of the scheme that s begins with, 0 if it has none.
func schemeLen(s string) int {
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case s[i] == ':':
			return i
		case c >= 'a' && c <= 'z':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		default:
			return 0
		}
	}
	return 0
}

func (u uri) String() string {
	var b strings.Builder
	if u.scheme != "" {
		b.WriteString(u.scheme + ":")
	}
	if u.hasAuthority {
		b.WriteString("//" + u.authority)
	}
	b.WriteString(u.path)
	if u.hasQuery {
		b.WriteString("?" + u.query)
	}
	if u.hasFragment {
		b.WriteString("#" + u.fragment)
	}
	return b.String()
}

// isAbsolute reports whether s has a scheme.
func isAbsolute(s string) bool { return schemeLen(s) > 0 }

// maxBase bounds a base URL, which is written out once more for each reference and kept
// with each text: a longer one is none.
const maxBase = 4 << 10

// baseFrom is u as the base of references, or "" if it is too long for one.
func baseFrom(u string) string {
	if len(u) > maxBase {
		return ""
	}
	return u
}

// resolve makes a reference absolute by RFC 3986 §5.2, keeping every character
// as written: publishers' URLs are identities, so nothing is re-encoded. With a
// base that is not absolute the result is not either.
func resolve(base, ref string) string {
	if ref == "" {
		return base
	}
	r := split(ref)
	if r.scheme != "" || baseFrom(base) == "" {
		return ref
	}
	b := split(base)
	if b.scheme == "" && !b.hasAuthority && !strings.HasPrefix(b.path, "/") && b.path == "" {
		return ref
	}
	t := r
	t.scheme = b.scheme
	if !r.hasAuthority {
		t.authority, t.hasAuthority = b.authority, b.hasAuthority
		switch {
		case r.path == "":
			t.path = b.path
			if !r.hasQuery {
				t.query, t.hasQuery = b.query, b.hasQuery
			}
		case strings.HasPrefix(r.path, "/"):
			t.path = removeDots(r.path)
		case b.hasAuthority && b.path == "":
			t.path = removeDots("/" + r.path)
		default:
			t.path = removeDots(b.path[:strings.LastIndexByte(b.path, '/')+1] + r.path)
		}
	} else {
		t.path = removeDots(r.path)
	}
	return t.String()
}

// removeDots is remove_dot_segments of RFC 3986 §5.2.4.
func removeDots(in string) string {
	if !strings.Contains(in, ".") {
		return in
	}
	out := make([]byte, 0, len(in))
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"):
			in = in[2:]
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			if in = in[3:]; in == "" {
				in = "/"
			}
			i := len(out) - 1
			for i >= 0 && out[i] != '/' {
				i--
			}
			out = out[:max(i, 0)]
		case in == "." || in == "..":
			in = ""
		default:
			i := strings.IndexByte(in[1:], '/') + 1
			if i == 0 {
				i = len(in)
			}
			out, in = append(out, in[:i]...), in[i:]
		}
	}
	return string(out)
}

// cleanURL drops what browsers drop from a URL in an attribute: white space
// around it, tabs and line ends inside (WHATWG URL §4.1).
func cleanURL(s string) string {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	// "http:///host/" means "http://host/" (WHATWG URL §4.4, special authority slashes).
	if n := schemeLen(s); (n == 4 || n == 5) && strings.HasPrefix(s[n:], ":///") && strings.EqualFold(s[:4], "http") {
		s = s[:n+3] + strings.TrimLeft(s[n+3:], "/")
	}
	return s
}

// maxAuthority is longer than a host, a port and a password; see feed.ASCIIHost.
const maxAuthority = 1 << 10

// noPlace reports whether a reference is never taken as a link: its scheme runs or
// embeds something instead of naming a place, or it names a host that can be none.
func noPlace(s string) bool {
	if len(s) > maxAuthority && len(split(s).authority) > maxAuthority {
		return true
	}
	n := schemeLen(s)
	switch strings.ToLower(s[:n]) {
	case "javascript", "vbscript", "data", "blob", "about":
		return true
	}
	return false
}
