package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"chancery/feed"
)

// kind says what values a parameter takes.
type kind uint8

const (
	aText kind = iota
	aNumber
	aSwitch // true, false; also 1, 0
	aDate   // a day, or an instant of RFC 3339
	anID    // of a topic or source
	anItem  // the id of an item
)

// param is a parameter of an operation.
type param struct {
	name     string
	kind     kind
	required bool
	text     string
	standard string // what is taken when it is absent, as it would be written
	least    int    // of a number
	most     int    // of a number; of a text in bytes
	choices  []string
	example  string
	many     bool // of a page: it may be given more than once
}

// args are the parameters of a request, checked against the operation's table.
type args struct {
	values map[string]string
}

func (a args) text(name string) string { return a.values[name] }
func (a args) given(name string) bool  { _, ok := a.values[name]; return ok }

// number, on, id and item give values that readArgs has checked.
func (a args) number(name string) int {
	n, _ := strconv.Atoi(a.values[name])
	return n
}

func (a args) on(name string) bool {
	v, _ := strconv.ParseBool(a.values[name])
	return v
}

func (a args) item(name string) feed.ItemID {
	id, _ := feed.ParseItemID(a.values[name])
	return id
}

// date gives an instant, or the zero time; a day alone means the start of the next
// one if end is set, else its own start, in UTC: ranges include both ends.
func (a args) date(name string, end bool) time.Time {
	t, day, _ := parseDate(a.values[name])
	if day && end {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

// parseDate reads 2009-01-02 or an instant of RFC 3339.
func parseDate(s string) (t time.Time, day bool, err error) {
	if s == "" {
		return time.Time{}, false, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, true, nil
	}
	t, err = time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1 {
		return time.Time{}, false, errors.New("not a day such as 2009-01-31, nor an instant such as 2009-01-31T12:00:00Z")
	}
	return t.UTC(), false, nil
}

// readArgs checks the parameters of a request. What the operation does not know is
// an error: a filter that is misspelled would otherwise be an answer to another
// question.
func readArgs(op *operation, r *http.Request) (args, error) {
	a := args{values: map[string]string{}}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return a, badParam("the query string", "it is not well formed")
	}
	for _, name := range pathParams(op.path) {
		p := op.param(name)
		v := r.PathValue(name)
		if p.check(v) != nil {
			return a, ErrNotFound // there is nothing at this address
		}
		a.values[name] = v
	}
	for name, values := range query {
		p := op.param(name)
		switch {
		case p == nil || slices.Contains(pathParams(op.path), name):
			return a, badParam(clip(name), "there is no such parameter here; it takes "+op.names())
		case len(values) > 1:
			return a, badParam(name, "it is given more than once")
		}
		if values[0] == "" && !p.required {
			continue // as an empty field of a form
		}
		if err := p.check(values[0]); err != nil {
			return a, badParam(name, err.Error())
		}
		a.values[name] = values[0]
	}
	for _, p := range op.params {
		if a.given(p.name) {
			continue
		}
		if p.required {
			return a, badParam(p.name, "it is missing")
		}
		if p.standard != "" {
			a.values[p.name] = p.standard
		}
	}
	return a, nil
}

func (op *operation) param(name string) *param {
	for i := range op.params {
		if op.params[i].name == name {
			return &op.params[i]
		}
	}
	return nil
}

// names lists the parameters of the query string.
func (op *operation) names() string {
	var list []string
	for _, p := range op.params {
		if !slices.Contains(pathParams(op.path), p.name) {
			list = append(list, p.name)
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// check says what is wrong with a value.
func (p *param) check(v string) error {
	if !utf8.ValidString(v) {
		return errors.New("it is not UTF-8")
	}
	switch p.kind {
	case aNumber:
		n, err := strconv.Atoi(v)
		if err != nil || n < p.least || n > p.most {
			return fmt.Errorf("%s is not a number from %d to %d", quoted(v), p.least, p.most)
		}
	case aSwitch:
		if !slices.Contains([]string{"true", "false", "1", "0"}, v) {
			return fmt.Errorf("%s is neither true nor false", quoted(v))
		}
	case aDate:
		_, _, err := parseDate(v)
		return err
	case anID:
		if !feed.ValidID(v) {
			return fmt.Errorf("%s is not an id: letters a to z, digits and -, at most 64, the first no -", quoted(v))
		}
	case anItem:
		if _, err := feed.ParseItemID(v); err != nil {
			return fmt.Errorf("%s is not an item's id: it has 26 letters and digits; the first 6 or more lead to it", quoted(v))
		}
	case aText:
		if len(p.choices) > 0 && !slices.Contains(p.choices, v) {
			return fmt.Errorf("%s is none of %s", quoted(v), strings.Join(p.choices, ", "))
		}
		if p.most > 0 && len(v) > p.most {
			return fmt.Errorf("it has %d bytes, and may have %d", len(v), p.most)
		}
	}
	return nil
}

// clip shortens what a client sent, for an error.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func quoted(s string) string { return strconv.Quote(clip(s)) }

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// Parameters that several operations have.
var (
	limitParam    = param{name: "limit", kind: aNumber, least: 1, most: maxPage, standard: "50", text: "How many there are on a page, at most."}
	cursorParam   = param{name: "cursor", kind: aText, most: 512, text: "Where to go on: `next` of the page before, asked with the same other parameters. It is opaque."}
	revisionParam = param{name: "revision", kind: aNumber, least: 0, most: 1 << 20, standard: "0", text: "Which version, from 1; 0 is the newest."}
	itemParam     = param{name: "id", kind: anItem, required: true, text: "The item's id, 26 letters and digits. Its first letters, 6 or more, lead to it if they fit one item.", example: "01hxyz0000ra30dtfhtm5w0x2e"}
)

// maxPage is the most items of a page: at ten KB each that is two megabytes.
const maxPage = 200
