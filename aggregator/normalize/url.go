package normalize

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"chancery/feed"
)

// tracking are query parameters that say how a reader came to a page and not
// which page it is. The list is closed on purpose (CONFORMANCE P-71): a parameter
// that some site uses to tell posts apart must never be on it.
var tracking = []string{
	"_ga", "_gl", "_hsenc", "_hsmi", "_openstat", "cmpid", "dclid", "ebisadid", "fb_action_ids", "fb_action_types",
	"fb_source", "fbclid", "gbraid", "gclid", "gclsrc", "igshid", "mc_cid", "mc_eid", "mkt_tok", "msclkid",
	"ncid", "oly_anon_id", "oly_enc_id", "s_cid", "soc_src", "soc_trk", "spm", "srsltid", "twclid", "vero_conv", "vero_id",
	"wbraid", "wickedid", "xtor", "yclid",
}

// trackingPrefixes begin whole families of such parameters.
var trackingPrefixes = []string{"utm_", "pk_", "mtm_", "hsa_", "ns_"}

// CanonicalURL brings the addresses under which one page is handed around to one
// form: scheme and host in lower case, the host in ASCII, no default port, no
// fragment, no tracking parameters, no empty query, path never empty. It looks
// at nothing but the text and never asks the network. What is no absolute http or
// https URL comes back empty.
func CanonicalURL(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" {
		return ""
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	u.Host = canonicalHost(u.Scheme, u.Host)
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = withoutTracking(u.RawQuery)
	u.ForceQuery = false
	return u.String()
}

func canonicalHost(scheme, host string) string {
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i:]
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if !isASCII(host) || strings.Contains(host, "xn--") { // others idna leaves as they are
		if ascii, err := feed.ASCIIHost(host); err == nil {
			host = ascii
		}
	}
	if port == ":" || (scheme == "http" && port == ":80") || (scheme == "https" && port == ":443") {
		port = ""
	}
	return host + port
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// withoutTracking drops the listed parameters and keeps the others as written and
// in their order: some sites care.
func withoutTracking(query string) string {
	if query == "" {
		return ""
	}
	kept := make([]string, 0, 4)
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		if part == "" || slices.Contains(tracking, name) ||
			slices.ContainsFunc(trackingPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "&")
}

// Address is CanonicalURL for comparing two spellings of one address: without the
// scheme, a leading "www." and a slash at the end, which sites add and take away
// over the years.
func Address(raw string) string { return AddressOf(CanonicalURL(raw)) }

// AddressOf is [Address] of a URL in canonical form.
func AddressOf(canonical string) string {
	_, s, _ := strings.Cut(canonical, "://")
	return strings.TrimSuffix(strings.TrimPrefix(s, "www."), "/")
}

// Alias is Address for a native id that is a URL: its fragment is kept, since
// many blogs tell the posts of one page apart by nothing else (PEERS part 5, 52).
func Alias(id string) string {
	s := Address(id)
	if s == "" {
		return ""
	}
	if _, fragment, ok := strings.Cut(id, "#"); ok {
		s += "#" + fragment
	}
	return s
}
