package discover

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"chancery/feed"
	"chancery/store"
)

// Normalize makes an address to ask out of what a person typed or pasted:
// "feed:" URLs lose that scheme (CONFORMANCE F-140), a bare host gets https, a
// fragment is dropped.
func Normalize(input string) (string, error) {
	s := strings.TrimSpace(input)
	s = strings.Trim(s, "<>\"'")
	for {
		rest, ok := cutPrefixFold(s, "feed:")
		if !ok {
			break
		}
		s = rest
		if strings.HasPrefix(s, "//") {
			s = "http:" + s // feed://host/path has always meant http
		}
	}
	if s == "" {
		return "", errors.New("no address")
	}
	if strings.HasPrefix(s, "//") {
		s = "https:" + s
	}
	if scheme, _, ok := strings.Cut(s, ":"); !ok || strings.ContainsAny(scheme, "./@[") || isPort(s[len(scheme)+1:]) {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return "", fmt.Errorf("not an address: %w", err)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the scheme of an address must be http or https, not %.20q", u.Scheme)
	}
	if u.Hostname() == "" {
		return "", errors.New("no host in the address")
	}
	u.Host = strings.ToLower(u.Host)
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

// isPort: what follows "host:" in an address without scheme.
func isPort(s string) bool {
	digits, _, _ := strings.Cut(s, "/")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// Same reports whether two addresses very likely name one feed: they differ at
// most in scheme, case and spelling of the host, a default port, "www.", a
// trailing slash or a fragment (F-141).
func Same(a, b string) bool {
	x, y := key(a), key(b)
	return x != "" && x == y
}

func key(raw string) string {
	raw, err := Normalize(raw)
	if err != nil {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if ascii, err := feed.ASCIIHost(host); err == nil {
		host = ascii
	}
	host = strings.TrimPrefix(host, "www.")
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		host += ":" + p
	}
	k := host + strings.TrimRight(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		k += "?" + u.RawQuery
	}
	return k
}

// Existing finds the subscription, removed ones left out, that has one of these
// addresses as its own, configured or learned: for a new subscription, and for a
// source that is about to move (F-47, F-141).
func Existing(sources []store.Source, addresses ...string) (store.Source, bool) {
	keys := map[string]bool{}
	for _, a := range addresses {
		if k := key(a); k != "" {
			keys[k] = true
		}
	}
	for _, s := range sources {
		if !s.Removed && (keys[key(s.URL)] || s.Moved != "" && keys[key(s.Moved)]) {
			return s, true
		}
	}
	return store.Source{}, false
}
