package html

import (
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// gate is the last word: bluemonday's allow-list over what the shaper wrote. It
// changes nothing unless the shaper is wrong; a second, independent reading of
// the same rules by a library many eyes are on is worth its time.
func gate(s string) string { return gatekeeper().Sanitize(s) }

var gatekeeper = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	web := regexp.MustCompile(`^https?://`)
	for a, el := range elements {
		if el.kind&(dropped|framelike) != 0 || el.as != 0 {
			continue
		}
		name := a.String()
		p.AllowElements(name)
		p.AllowNoAttrs().OnElements(name)
		for key, k := range el.attrs {
			switch k {
			case webURL, secureURL, imageSet:
				p.AllowAttrs(key).Matching(web).OnElements(name)
			default:
				p.AllowAttrs(key).OnElements(name)
			}
		}
	}
	for key := range global {
		p.AllowAttrs(key).Globally()
	}
	p.AllowAttrs("rel").Matching(regexp.MustCompile("^" + rel + "$")).OnElements("a")
	p.AllowAttrs("controls", "preload").OnElements("video", "audio")
	return p
})
