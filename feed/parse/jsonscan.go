package parse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"chancery/feed"
)

// jsonOutline is what the preflight learns of a JSON Feed.
type jsonOutline struct {
	head    []member
	entries []span // of the items
	format  feed.Format
	fixes   fixes
	ids     int8 // 1: items have ids; -1: none has; 0: not asked yet
}

// member is a name and a value of a JSON object.
type member struct {
	name string
	at   span
}

// outlineJSON checks that the whole text is JSON (invalid JSON is never partly
// used: CONFORMANCE P-50) and a JSON Feed by its version (P-51), and finds the items.
func outlineJSON(text []byte) (*jsonOutline, error) {
	j := jsonScanner{s: text}
	top := j.value(j.space(0))
	if j.err != nil {
		return nil, j.err
	}
	j.pieces = 0
	if !json.Valid(text) {
		var raw json.RawMessage
		err := json.Unmarshal(text, &raw)
		at := -1
		if se, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(se.Offset)
		}
		return nil, &Error{ErrBroken, fmt.Sprintf("invalid JSON (%v)", err), at}
	}
	o := &jsonOutline{}
	if o.head = j.members(top); o.head == nil {
		return nil, &Error{ErrNotFeed, "a JSON document that is no object", -1}
	}
	version := ""
	for _, m := range o.head {
		if m.name == "version" {
			version = jsonString(text[m.at.lo:m.at.hi])
		}
	}
	v := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(version)), "https://"), "http://")
	v, ok := strings.CutPrefix(strings.TrimPrefix(v, "www."), "jsonfeed.org/version/")
	fx := fixes(0)
	if !ok && (v == "1" || v == "1.0" || v == "1.1") && isFeedObject(&j, o.head) {
		ok, fx = true, fixVersion // the number alone, in an object that is a feed in all else
	}
	if !ok {
		return nil, &Error{ErrNotFeed, "a JSON object without the version of JSON Feed", -1}
	}
	o.format, o.fixes = feed.JSON10, fx
	if strings.HasPrefix(v, "1.1") {
		o.format = feed.JSON11
	}
	for _, m := range o.head {
		if m.name == "items" {
			o.entries = j.elements(m.at)
		}
	}
	if len(o.entries) > maxEntries {
		return nil, &LimitError{"entries", maxEntries, o.entries[maxEntries].lo}
	}
	return o, nil
}

// isFeedObject reports whether an object has what JSON Feed requires besides its
// version: an array of items.
func isFeedObject(j *jsonScanner, head []member) bool {
	for _, m := range head {
		if m.name == "items" {
			return j.s[m.at.lo] == '['
		}
	}
	return false
}

// jsonScanner finds the bounds of values. It expects valid JSON, and on anything
// else ends without looking further.
type jsonScanner struct {
	s      []byte
	pieces int // strings, numbers and brackets passed over
	err    error
}

func (j *jsonScanner) space(i int) int {
	for i < len(j.s) && isSpace(j.s[i]) {
		i++
	}
	return i
}

// str gives the end of the string that begins at i.
func (j *jsonScanner) str(i int) int {
	for k := i + 1; k < len(j.s); {
		n := bytes.IndexByte(j.s[k:], '"')
		if n < 0 {
			break
		}
		k += n
		esc := 0
		for k-1-esc > i && j.s[k-1-esc] == '\\' {
			esc++
		}
		k++
		if esc%2 == 0 {
			if k-i > maxText && j.err == nil {
				j.err = &LimitError{"bytes of text in a string", maxText, i}
			}
			return k
		}
	}
	return len(j.s)
}

// value gives the bounds of the value that begins at i.
func (j *jsonScanner) value(i int) span {
	depth := 0
	for k := i; k < len(j.s); {
		if j.pieces++; j.pieces > 2*maxTokens && j.err == nil { // colons and commas count too
			j.err = &LimitError{"pieces of JSON", maxTokens, k}
			return span{i, k}
		}
		switch j.s[k] {
		case '"':
			k = j.str(k)
		case '{', '[':
			if depth++; depth > maxDepth && j.err == nil {
				j.err = &LimitError{"levels of values", maxDepth, k}
				return span{i, k}
			}
			k++
			continue
		case '}', ']':
			depth--
			k++
		case ',', ':':
			if depth == 0 {
				return span{i, k}
			}
			k++
			continue
		default:
			for k < len(j.s) && !isSpace(j.s[k]) && bytes.IndexByte(jsonStops, j.s[k]) < 0 {
				k++
			}
			if depth > 0 {
				k = j.space(k)
				continue
			}
		}
		if depth <= 0 {
			return span{i, k}
		}
		k = j.space(k)
	}
	return span{i, len(j.s)}
}

var jsonStops = []byte(`{}[],:"`)

// maxMembers bounds the members of one object that are read.
const maxMembers = 1 << 14

// members lists an object's members, each name once: of several the last counts,
// as for encoding/json. It is nil if at is no object.
func (j *jsonScanner) members(at span) []member {
	if at.lo >= len(j.s) || j.s[at.lo] != '{' {
		return nil
	}
	out := []member{}
	var index map[string]int // made when there are many
	i := j.space(at.lo + 1)
	for i < at.hi && j.s[i] == '"' {
		end := j.str(i)
		raw := j.s[i:end]
		i = j.space(end)
		if i >= at.hi || j.s[i] != ':' {
			break
		}
		v := j.value(j.space(i + 1))
		plain := len(raw) > 1 && bytes.IndexByte(raw, '\\') < 0
		name, had := "", -1
		if !plain {
			name = jsonString(raw)
		} else {
			raw = raw[1 : len(raw)-1] // compared without a copy
		}
		is := func(s string) bool { return plain && s == string(raw) || !plain && s == name }
		if len(out) < 16 {
			had = slices.IndexFunc(out, func(m member) bool { return is(m.name) })
		} else {
			if index == nil {
				index = map[string]int{}
				for k, m := range out {
					index[m.name] = k
				}
			}
			k, ok := index[string(raw)]
			if !plain {
				k, ok = index[name]
			}
			if ok {
				had = k
			}
		}
		switch {
		case had >= 0:
			out[had].at = v
		case len(out) < maxMembers:
			if plain {
				name = string(raw)
			}
			if index != nil {
				index[name] = len(out)
			}
			out = append(out, member{name, v})
		}
		if i = j.space(v.hi); i < at.hi && j.s[i] == ',' {
			i = j.space(i + 1)
		}
	}
	return out
}

// elements lists an array's elements; nil if at is no array.
func (j *jsonScanner) elements(at span) []span {
	if at.lo >= len(j.s) || j.s[at.lo] != '[' {
		return nil
	}
	var out []span
	i := j.space(at.lo + 1)
	for i < at.hi && j.s[i] != ']' {
		v := j.value(i)
		if v.hi == i {
			break
		}
		out = append(out, v)
		if i = j.space(v.hi); i < at.hi && j.s[i] == ',' {
			i = j.space(i + 1)
		}
	}
	return out
}

// jsonString decodes a string; "" if raw is none. Characters that no output can
// carry (JSON may escape any) are dropped.
func jsonString(raw []byte) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return legalText(s)
}

// legalText replaces what no document of ours may hold: invalid UTF-8 and the
// characters that XML forbids.
func legalText(s string) string {
	var fx fixes
	return string(appendLegal(nil, []byte(s), &fx))
}

// jsonID reads an id: a string, or a number as its decimal digits (P-45).
func jsonID(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		return strings.TrimSpace(jsonString(raw))
	case 't', 'f':
		return string(raw)
	case '{', '[', 'n':
		return ""
	}
	if bytes.ContainsAny(raw, ".eE") {
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return string(raw)
}
