package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Keys of the namespaces that are read. An element is known by the key of its
// namespace and its local name in lower case, "dc:creator"; one of the format's
// own namespace by its local name alone (CONFORMANCE P-15).
const (
	nsCore  = "" // the namespace of the format at hand
	nsAtom  = "atom"
	nsOther = "?" // any namespace that has no key
)

// namespaces maps normalized URIs (see normalURI) to keys. Spellings that are
// wrong but common stand beside the right ones.
var namespaces = map[string]string{
	"www.w3.org/2005/atom":                                                nsAtom,
	"purl.org/atom/ns":                                                    "atom03",
	"example.com/newformat":                                               "atom03",
	"example.com/necho":                                                   "atom03",
	"purl.org/echo":                                                       "atom03",
	"uri/of/echo/namespace":                                               "atom03",
	"purl.org/pie":                                                        "atom03",
	"www.w3.org/2007/app":                                                 "app",
	"purl.org/atom/app":                                                   "app",
	"purl.org/syndication/history/1.0":                                    "fh",
	"purl.org/syndication/thread/1.0":                                     "thr",
	"purl.org/rss/1.0/modules/threading":                                  "thr",
	"purl.org/atompub/tombstones/1.0":                                     "at",
	"purl.org/rss/1.0":                                                    "rss",
	"purl.org/net/rss1.1":                                                 "rss11",
	"channel.netscape.com/rdf/simple/0.9":                                 "rss",
	"my.netscape.com/rdf/simple/0.9":                                      "rss",
	"my.netscape.com/publish/formats/rss-0.91.dtd":                        "rss",
	"backend.userland.com/rss":                                            "rss",
	"backend.userland.com/rss2":                                           "rss",
	"backend.userland.com/rss091":                                         "rss",
	"backend.userland.com/rss092":                                         "rss",
	"blogs.law.harvard.edu/tech/rss":                                      "rss",
	"cyber.law.harvard.edu/rss/rss.html":                                  "rss",
	"www.rssboard.org/rss-specification":                                  "rss",
	"www.w3.org/1999/02/22-rdf-syntax-ns":                                 "rdf",
	"www.w3.org/2000/01/rdf-schema":                                       "rdfs",
	"www.w3.org/1999/xhtml":                                               "xhtml",
	"www.w3.org/1999/html":                                                "xhtml",
	"www.w3.org/tr/rec-html40":                                            "xhtml",
	"www.w3.org/xml/1998/namespace":                                       "xml",
	"www.w3.org/1999/xlink":                                               "xlink",
	"purl.org/dc/elements/1.1":                                            "dc",
	"purl.org/dc/elements/1.0":                                            "dc",
	"dublincore.org/documents/dcmi-namespace":                             "dc",
	"purl.org/metadata/dublin_core":                                       "dc",
	"purl.org/dc/terms":                                                   "dcterms",
	"purl.org/rss/1.0/modules/dcterms":                                    "dcterms",
	"purl.org/rss/1.0/modules/content":                                    "content",
	"purl.org/rss/1.0/modules/syndication":                                "sy",
	"purl.org/rss/1.0/modules/slash":                                      "slash",
	"wellformedweb.org/commentapi":                                        "wfw",
	"search.yahoo.com/mrss":                                               "media",
	"video.search.yahoo.com/mrss":                                         "media",
	"tools.search.yahoo.com/mrss":                                         "media",
	"www.rssboard.org/media-rss":                                          "media",
	"www.itunes.com/dtds/podcast-1.0.dtd":                                 "itunes",
	"www.itunes.com/dtds/podcast-1.0":                                     "itunes",
	"example.com/dtds/podcast-1.0.dtd":                                    "itunes",
	"podcastindex.org/namespace/1.0":                                      "podcast",
	"github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md": "podcast",
	"podlove.org/simple-chapters":                                         "psc",
	"www.georss.org/georss":                                               "georss",
	"www.georss.org/georss/10":                                            "georss",
	"www.opengis.net/gml":                                                 "gml",
	"www.w3.org/2003/01/geo/wgs84_pos":                                    "geo",
	"www.pheed.com/pheed":                                                 "pheed",
	"postneo.com/icbm":                                                    "icbm",
	"web.resource.org/cc":                                                 "cc",
	"creativecommons.org/ns":                                              "cc",
	"creativecommons.org/ns#license":                                      "cc",
	"backend.userland.com/creativecommonsrssmodule":                       "creativecommons",
	"cyber.law.harvard.edu/rss/creativecommonsrssmodule.html":             "creativecommons",
	"webns.net/mvcb":                                                      "admin",
	"rssnamespace.org/feedburner/ext/1.0":                                 "feedburner",
	"a9.com/-/spec/opensearch/1.1":                                        "opensearch",
	"a9.com/-/spec/opensearchrss/1.0":                                     "opensearch",
	"xmlns.com/foaf/0.1":                                                  "foaf",
	"prismstandard.org/namespaces/1.2/basic":                              "prism",
	"prismstandard.org/namespaces/basic/2.0":                              "prism",
	"www.youtube.com/xml/schemas/2015":                                    "yt",
	"planet.intertwingly.net":                                             "planet",
}

// conventional are the prefixes that are read although nothing declares them.
var conventional = map[string]string{
	"atom": nsAtom, "a10": nsAtom, "rdf": "rdf", "rss": "rss", "dc": "dc", "dcterms": "dcterms", "content": "content",
	"sy": "sy", "slash": "slash", "wfw": "wfw", "media": "media", "itunes": "itunes", "podcast": "podcast",
	"psc": "psc", "georss": "georss", "gml": "gml", "geo": "geo", "thr": "thr", "fh": "fh", "at": "at", "xhtml": "xhtml",
	"xml": "xml", "xlink": "xlink", "creativeCommons": "creativecommons", "cc": "cc", "admin": "admin",
	"feedburner": "feedburner", "app": "app", "pheed": "pheed", "icbm": "icbm",
}

// canonical is the URI under which an extension of a known namespace is given
// out, whatever spelling the document used.
var canonical = map[string]string{
	nsAtom: "http://www.w3.org/2005/Atom", "atom03": "http://purl.org/atom/ns#", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
	"xhtml": "http://www.w3.org/1999/xhtml", "xml": "http://www.w3.org/XML/1998/namespace", "xlink": "http://www.w3.org/1999/xlink",
	"dc": "http://purl.org/dc/elements/1.1/", "dcterms": "http://purl.org/dc/terms/", "content": "http://purl.org/rss/1.0/modules/content/",
	"sy": "http://purl.org/rss/1.0/modules/syndication/", "slash": "http://purl.org/rss/1.0/modules/slash/",
	"wfw": "http://wellformedweb.org/CommentAPI/", "media": "http://search.yahoo.com/mrss/",
	"itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd", "podcast": "https://podcastindex.org/namespace/1.0",
	"psc": "http://podlove.org/simple-chapters", "georss": "http://www.georss.org/georss", "gml": "http://www.opengis.net/gml",
	"geo": "http://www.w3.org/2003/01/geo/wgs84_pos#", "thr": "http://purl.org/syndication/thread/1.0",
	"fh": "http://purl.org/syndication/history/1.0", "at": "http://purl.org/atompub/tombstones/1.0", "app": "http://www.w3.org/2007/app",
	"creativecommons": "http://backend.userland.com/creativeCommonsRssModule", "cc": "http://creativecommons.org/ns#",
	"admin": "http://webns.net/mvcb/", "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
	"pheed": "http://www.pheed.com/pheed/", "icbm": "http://postneo.com/icbm/",
}

// normalURI folds the spellings of a namespace URI that mean the same: case,
// http or https, a closing slash or hash, white space around.
func normalURI(uri string) string {
	uri = strings.ToLower(strings.TrimSpace(uri))
	uri = strings.TrimPrefix(strings.TrimPrefix(uri, "http://"), "https://")
	return strings.TrimRight(uri, "/#")
}

// name is a resolved name of an element or attribute.
type name struct {
	key   string // of the namespace
	uri   string // as declared, or canonical
	local string // as written
	fixes fixes  // what was needed to resolve it
	q     string // what the switch statements compare: local in lower case, with the key before it unless core
}

// namer resolves names. Elements of the format's own namespace get the core key.
type namer struct {
	// root is the normalized namespace of the root, whose elements are core
	// whatever it is: a feed in a misspelled namespace is still a feed (P-03).
	root string
	// core holds the keys that are core besides.
	core map[string]bool
	// prefix is that of the root, scope how many bindings the root made: elements
	// that have the root's prefix by the root's declaration are core.
	prefix string
	scope  int
	cache  map[string]cached
	fixes  fixes
}

type cached struct {
	binding int // index of the binding that was in force, -1 for none
	uri     string
	name    *name
}

// element resolves the name of an element with the bindings in scope.
func (n *namer) element(qname []byte, scope []binding) *name {
	return n.resolve(qname, scope, false)
}

// attr resolves the name of an attribute: without a prefix it is in no namespace.
func (n *namer) attr(qname []byte, scope []binding) *name {
	return n.resolve(qname, scope, true)
}

func (n *namer) resolve(qname []byte, scope []binding, attr bool) *name {
	c := -1
	for i, b := range qname {
		if b == ':' {
			c = i
			break
		}
	}
	bound := -1
	var uri []byte
	if c > 0 || !attr {
		for i, s := range slices.Backward(scope) {
			if string(s.prefix) == string(qname[:max(c, 0)]) {
				bound, uri = i, s.uri
				break
			}
		}
	}
	key := string(qname)
	if attr {
		key = "@" + key
	}
	if e, ok := n.cache[key]; ok && e.binding == bound && e.uri == string(uri) {
		n.fixes |= e.name.fixes
		return e.name
	}
	prefix := string(qname[:max(c, 0)])
	nm := n.make(prefix, clean(qname[c+1:]), clean(uri), bound >= 0, attr)
	n.fixes |= nm.fixes
	if !attr && bound >= 0 && bound < n.scope && prefix == n.prefix {
		nm.key, nm.q = nsCore, strings.ToLower(nm.local)
	}
	if !attr && prefix == "" && bound < n.scope && nm.key == nsOther { // an unknown default namespace of the root's
		nm.key, nm.q = nsCore, strings.ToLower(nm.local)
	}
	if n.cache == nil {
		n.cache = map[string]cached{}
	}
	if len(n.cache) < 4096 { // a flood of names is resolved, but not remembered
		n.cache[key] = cached{bound, string(uri), nm}
	}
	return nm
}

// clean makes legal text of a name or a URI, in which references are expanded.
func clean(s []byte) string {
	var fx fixes
	return string(appendChars(nil, s, nil, &fx, allRefs))
}

func (n *namer) make(prefix, local, uri string, bound, attr bool) *name {
	nm := &name{uri: uri, local: local}
	low := strings.ToLower(local)
	if attr && prefix == "" {
		nm.q = low
		return nm
	}
	if prefix == "xml" {
		bound, uri = true, canonical["xml"]
	}
	norm := normalURI(uri)
	key, known := namespaces[norm]
	switch {
	case !bound && prefix != "":
		key, known = conventional[prefix]
		nm.fixes |= fixPrefix
	case !attr && norm == n.root || norm == "":
		key, known = nsCore, true
	}
	if n.core[key] && !attr {
		key = nsCore
	}
	if !known {
		key = nsOther
	}
	nm.key = key
	if c := canonical[key]; c != "" {
		nm.uri = c
	}
	nm.q = low
	if key != nsCore {
		nm.q = key + ":" + low
	}
	return nm
}

// isName reports whether what stands where an element's name would can be one: it
// is not, in bytes that are no text at all.
func isName(s []byte) bool {
	for _, r := range string(s) {
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:", r) {
			return false
		}
	}
	return len(s) > 0
}
