package normalize

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxTargets bounds the links that count for a version: a page of more is an
// index, whose words change with it. It bounds pictures, too.
const maxTargets = 500

// targets lists where the anchors in a piece of HTML lead, in order, by a plain
// scan for href attributes: this runs for every new entry and needs no tree. Links of
// advertising are left out, and keys of sessions in others.
func targets(markup string) []string {
	var out []string
	for value := range attributes(markup, "href=") {
		if advertises(value) {
			continue
		}
		if out = append(out, lasting(canonicalOr(value))); len(out) == maxTargets {
			break
		}
	}
	return out
}

// pictures lists the pictures in a piece of HTML, in order, by their names: hosts and
// folders are often those of a network that carries them today, sizes those of a theme.
// Advertising and what only counts readers is left out.
func pictures(markup string) []string {
	var out []string
	for value := range attributes(markup, "src=") {
		if advertises(value) {
			continue
		}
		page, _, _ := strings.Cut(value, "?")
		page, _, _ = strings.Cut(page, "#")
		name := strings.ToLower(path.Base(page))
		ext := path.Ext(name)
		if !pictureTypes[ext] {
			continue // a frame, a script, a counter
		}
		name = strings.TrimSuffix(name, ext)
		if strings.ContainsAny(name, "-_@") {
			name = sizes.ReplaceAllString(name, "")
		}
		if name == "" || blanks[name] {
			continue
		}
		if out = append(out, name); len(out) == maxTargets {
			break
		}
	}
	return out
}

var (
	pictureTypes = map[string]bool{".jpg": true, ".jpeg": true, ".png": true, ".gif": true, ".webp": true, ".avif": true, ".bmp": true, ".svg": true}
	// sizes is what software puts behind the name of a picture that it made smaller.
	sizes = regexp.MustCompile(`(?:[-_]\d{2,4}x\d{2,4}|@\dx|[-_]scaled)$`)
	// blanks are names of pictures that show nothing.
	blanks = map[string]bool{"blank": true, "pixel": true, "spacer": true, "1x1": true, "b": true, "clear": true, "transparent": true, "tracker": true}
)

// attributes gives the values of all attributes of a name, "href=", in markup.
func attributes(markup, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for rest := markup; ; {
			i := strings.Index(rest, name)
			if i < 0 {
				return
			}
			rest = rest[i+len(name):]
			if rest == "" {
				return
			}
			var value string
			switch q := rest[0]; q {
			case '"', '\'':
				end := strings.IndexByte(rest[1:], q)
				if end < 0 {
					return
				}
				value, rest = rest[1:1+end], rest[end+2:]
			default:
				end := strings.IndexAny(rest, " \t\r\n>")
				if end < 0 {
					end = len(rest)
				}
				value, rest = rest[:end], rest[end:]
			}
			if !yield(strings.ReplaceAll(value, "&amp;", "&")) {
				return
			}
		}
	}
}

// advertisers are hosts of links and pictures that are another with each request.
var advertisers = []string{
	"doubleclick.net", "googlesyndication.com", "googleadservices.com", "amazon-adsystem.com", "pheedo.com", "feedsportal.com", "mf.feeds.reuters.com",
	"adserver.adtechus.com", "outbrain.com", "taboola.com", "adnxs.com", "criteo.com", "pixel.wp.com", "stats.wordpress.com", "feedads.googleadservices.com", "fmpub.net",
}

// advertises reports whether an address is of advertising, or counts readers.
func advertises(address string) bool {
	_, rest, ok := strings.Cut(address, "//")
	if !ok {
		return false
	}
	host, page, _ := strings.Cut(rest, "/")
	if strings.HasPrefix(page, "~ff/") || strings.HasPrefix(page, "~4/") { // FeedBurner's
		return true
	}
	host = strings.ToLower(host)
	for _, a := range advertisers {
		if strings.HasSuffix(host, a) && (len(host) == len(a) || host[len(host)-len(a)-1] == '.') {
			return true
		}
	}
	return false
}

// keys are query parameters, in lower case, that are another with each request. They may
// tell posts apart where an address is a post's own, and are left out of links only.
var keys = []string{
	"_", "_wpnonce", "aspsessionid", "awsaccesskeyid", "cachebuster", "cb", "cfid", "cftoken", "expires", "jsessionid", "key-pair-id", "nocache", "nonce", "phpsessid",
	"rand", "random", "rnd", "s_kwcid", "session_id", "sessionid", "sig", "signature", "timestamp", "ts", "zenid",
}

// lasting is an address without what is another with each request.
func lasting(address string) string {
	page, query, asked := strings.Cut(address, "?")
	if i := strings.Index(page, ";"); i >= 0 && strings.HasPrefix(strings.ToLower(page[i+1:]), "jsessionid=") {
		page = page[:i]
	}
	if !asked {
		return page
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		if strings.Contains(name, "%") {
			name, _ = url.QueryUnescape(name)
		}
		return slices.Contains(keys, name) || strings.HasPrefix(name, "x-amz-")
	})
	if len(kept) == 0 {
		return page
	}
	return page + "?" + strings.Join(kept, "&")
}
