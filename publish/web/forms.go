package web

import (
	"net/http"
	"net/url"
	"strings"
)

// What pages are asked for. Values are checked as those of the API are: what a page
// does not take is refused by name, and not answered as another question. What has
// no place in a table means nothing to a page, as links are decorated on their way.
// Nothing else reads the query string of a page (TestFormsAreChecked).
var (
	homeForm = []param{
		{name: "how", choices: []string{"all", "any"}},
		{name: "topic", kind: anID, many: true},
		{name: "not", kind: anID, many: true},
		{name: "source", kind: anID, many: true},
		{name: "lang"},
		{name: "words"},
	}
	searchPageForm = []param{
		{name: "q"}, // its faults are shown in their place
		{name: "order", choices: []string{"newest", "oldest", "relevance"}},
		{name: "as_of", kind: aDate},
		{name: "all_versions", kind: aSwitch},
		{name: "copies", kind: aSwitch},
		{name: "cursor", most: 512},
	}
	itemForm = []param{
		{name: "revision", kind: aNumber, least: 1, most: 1 << 20},
		{name: "images", kind: aSwitch},
		{name: "why", most: 64}, // the id of a topic, or "all"
	}
	diffForm = []param{
		{name: "from", kind: aNumber, least: 1, most: 1 << 20},
		{name: "to", kind: aNumber, least: 1, most: 1 << 20},
		{name: "view", choices: []string{"inline"}},
	}
	staticForm = []param{{name: "v"}}
)

// readForm reads the parameters of a page. Where one is wrong the error is a
// *problem that names it, and the values are as they came.
func readForm(table []param, r *http.Request) (url.Values, error) {
	all, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		err = badParam("the query string", "a % in it is not followed by two hexadecimal digits, or it has a semicolon")
	}
	v := url.Values{}
	for i := range table {
		p := &table[i]
		for _, text := range all[p.name] {
			if text = strings.TrimSpace(text); text == "" {
				continue // as an empty field of a form
			}
			if fault := p.check(text); fault != nil && err == nil {
				err = badParam(p.name, fault.Error())
			}
			v.Add(p.name, text)
		}
		if !p.many && len(v[p.name]) > 1 && err == nil {
			err = badParam(p.name, "it is given more than once")
		}
	}
	return v, err
}

// isOn is a switch of a form that was checked.
func isOn(v url.Values, name string) bool { return v.Get(name) == "true" || v.Get(name) == "1" }
