package fetch

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"chancery/feed"

	"golang.org/x/net/publicsuffix"
)

// accept is the one list that every poll sends, so that what is validated under
// "Vary: Accept" stays valid (CONFORMANCE F-31).
const accept = "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, " +
	"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"

// Request is one poll.
type Request struct {
	URL string
	Validators
	// BodyHash is that of the last body, to notice a server that sends the same
	// one again instead of a 304.
	BodyHash string
	// Headers go to the origin (scheme, host and port) of Origin only, or of URL
	// if Origin is empty; so does Authorization, the value of that field. Values
	// of Headers win over our own, but for the validators.
	Headers       map[string]string
	Authorization string
	Origin        string
	// Subscribers is how many read what comes of this feed; 0 is not said.
	Subscribers int
	// AllowDowngrade follows a redirect from https to http (F-42).
	AllowDowngrade bool
	// Pin, if not empty, is the SHA-256 of the server's certificate (DER) in
	// hexadecimal: this certificate is accepted and no other, whoever signed it (F-91).
	Pin string
	// Page accepts a web page as well as a feed, of which only the first MiB is
	// read: for discovery (F-139). Never set by a poll.
	Page bool
}

// Validators are what a server gave to ask conditionally with, byte for byte,
// and the URL that gave them; they are sent to no other (F-01, F-02, F-10).
type Validators struct {
	URL          string
	ETag         string
	LastModified string
}

// IsZero reports whether there is nothing to ask conditionally with.
func (v Validators) IsZero() bool { return v.ETag == "" && v.LastModified == "" }

// Hop is one exchange of a poll.
type Hop struct {
	URL         string
	Status      int
	Location    string // where it led, absolute; empty for the last
	Permanent   bool   // 301 or 308
	Conditional bool   // validators were sent
	Reused      bool   // over a connection that was open
	Proto       string // "HTTP/1.1", "HTTP/2.0"
	Took        time.Duration
}

// Response is what a poll brought. A 304 has no Body.
type Response struct {
	Status      int
	NotModified bool
	URL         string // that answered last, after redirects
	Hops        []Hop  // at least one
	Header      http.Header
	Body        []byte      // decoded; must not be changed
	Digest      feed.Digest // of Body
	// Same: Body is the one of Request.BodyHash.
	Same     bool
	Wire     int64    // bytes of the body as sent
	Coding   string   // content codings undone
	Flags    []string // leniencies, as "gzip-ignored"
	Received time.Time
	Took     time.Duration
	// Local: the host is one of allow_networks, or the client has no real network.
	Local bool
	// Conditional: validators were sent to the URL that answered.
	Conditional bool

	release func()
	first   [1]Hop // where Hops begins
}

// Release gives back the memory reserved for a large body. Call it when Body is
// not used any more; further calls and calls on nil do nothing.
func (r *Response) Release() {
	if r != nil && r.release != nil {
		r.release()
	}
}

// ContentType is the field of that name as received.
func (r *Response) ContentType() string { return r.Header.Get("Content-Type") }

// Next gives the validators to store after this response: those of a complete
// 200 replace the old ones, missing ones clear them (F-05, F-07); a 304 renews
// what it carries (F-06); any other status leaves them.
func (r *Response) Next(old Validators) Validators {
	etag, modified := r.Header.Get("Etag"), r.Header.Get("Last-Modified")
	switch {
	case r.NotModified:
		if etag != "" {
			old.ETag = etag
		}
		if modified != "" {
			old.LastModified = modified
		}
		return old
	case r.Status == http.StatusOK:
		if etag == "" && modified == "" {
			return Validators{}
		}
		return Validators{URL: r.URL, ETag: etag, LastModified: modified}
	default:
		return old
	}
}

// Permanent gives the target of the leading run of permanent redirects, or "" if
// the first hop was none (F-40), and whether it may be believed without an
// operator's word: all hops were https, or it is https on the domain that was
// asked (F-39).
func (r *Response) Permanent() (target string, trusted bool) {
	secure := true
	for _, h := range r.Hops {
		if !h.Permanent || h.Location == "" {
			break
		}
		secure = secure && strings.HasPrefix(h.URL, "https://") && strings.HasPrefix(h.Location, "https://")
		target = h.Location
	}
	if target == "" {
		return "", false
	}
	return target, secure || strings.HasPrefix(target, "https://") && domain(r.Hops[0].URL) != "" && domain(r.Hops[0].URL) == domain(target)
}

// domain is the registrable domain of a URL; on platforms that give each customer
// a subdomain, the customer's.
func domain(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(u.Hostname()))
	if err != nil {
		return ""
	}
	return d
}

// target reads an address to poll: http or https, with a host. The userinfo is
// taken out and given as the value of Authorization; the fragment is dropped.
func target(raw string) (u *url.URL, authorization string, err error) {
	u, err = url.Parse(raw)
	if err != nil {
		return nil, "", fmt.Errorf("not a URL: %w", unwrapURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, "", fmt.Errorf("scheme %.20q is not http or https", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, "", fmt.Errorf("no host in %.100q", raw)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(u.User.Username(), password)
		authorization = r.Header.Get("Authorization")
		u.User = nil
	}
	u.Fragment, u.RawFragment = "", ""
	return u, authorization, nil
}

// unwrapURL is the reason without the URL, which may hold a password.
func unwrapURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns exactly this type
		return e.Err
	}
	return err
}

// origin is scheme, host and port (RFC 6454).
func origin(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port(u)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// agent is the value of User-Agent (RFC 9110 §10.1.5): product, and a comment
// with the contact; the number of readers differs from feed to feed (F-83).
func agent(version, contact string) string {
	if version = token(version); version == "" {
		version = "dev"
	}
	s := "chancery/" + version
	if contact = comment(contact); contact != "" {
		s += " (+" + contact + ")"
	}
	return s
}

func token(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x7f && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)) {
			return r
		}
		return -1
	}, s)
}

// comment drops what may not stand in a comment of a field.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || r == '(' || r == ')' || r == '\\' {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
}
