package parse

import (
	"strings"

	"chancery/feed"
)

// person reads the ways RSS writes a person: "mail (name)", "name (mail)",
// "name <mail>", a mail address alone, a name alone. Parentheses that don't
// balance are part of the name.
func person(s string) feed.Person {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return feed.Person{}
	}
	if i, j := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>'); i >= 0 && j > i {
		if m := mailIn(s[i+1 : j]); m != "" {
			return feed.Person{Name: unquote(strings.TrimSpace(s[:i] + s[j+1:])), Email: m}
		}
	}
	if i := strings.IndexByte(s, '('); i >= 0 && strings.HasSuffix(s, ")") {
		outside, inside := strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:len(s)-1])
		if m := mailIn(outside); m != "" {
			return feed.Person{Name: inside, Email: m}
		}
		if m := mailIn(inside); m != "" {
			return feed.Person{Name: outside, Email: m}
		}
	}
	if m := mailIn(s); m != "" {
		return feed.Person{Email: m}
	}
	if i := strings.LastIndexByte(s, ' '); i > 0 { // "name mail"
		if m := mailIn(s[i+1:]); m != "" {
			return feed.Person{Name: strings.TrimRight(s[:i], " ,;:-"), Email: m}
		}
	}
	if i := strings.IndexByte(s, ' '); i > 0 { // "mail name"
		if m := mailIn(s[:i]); m != "" {
			return feed.Person{Name: strings.TrimLeft(s[i+1:], " ,;:-"), Email: m}
		}
	}
	return feed.Person{Name: s}
}

// mailIn is the address that s consists of, or "".
func mailIn(s string) string {
	s = strings.TrimSpace(s)
	if n := schemeLen(s); n > 0 && strings.EqualFold(s[:n], "mailto") {
		s = s[n+1:]
		s, _, _ = strings.Cut(s, "?")
	}
	at := strings.IndexByte(s, '@')
	if at < 1 || at == len(s)-1 || strings.ContainsAny(s, " ()<>,;:\"/") || strings.Count(s, "@") != 1 {
		return ""
	}
	return s
}

func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// maxListed bounds the people, and the labels, of an entry or of the head: each new one
// is compared with those before it. No honest post names as many.
const maxListed = 256

// addPerson appends p unless it is empty or there already (CONFORMANCE P-35). A
// second mention completes the first.
func (d *Document) addPerson(list []feed.Person, p feed.Person) []feed.Person {
	if p.Name == "" && p.Email == "" && p.URL == "" {
		return list
	}
	if len(list) >= maxListed {
		d.fixes |= fixTooMany
		return list
	}
	for i, q := range list {
		same := q.Name != "" && strings.EqualFold(q.Name, p.Name) ||
			q.Email != "" && strings.EqualFold(q.Email, p.Email) && (q.Name == "" || p.Name == "")
		if !same || q.Email != "" && p.Email != "" && q.Email != p.Email || q.URL != "" && p.URL != "" && q.URL != p.URL {
			continue
		}
		if q.Name == "" {
			list[i].Name = p.Name
		}
		if q.Email == "" {
			list[i].Email = p.Email
		}
		if q.URL == "" {
			list[i].URL = p.URL
		}
		return list
	}
	return append(list, p)
}

// authorFirst puts the person that RSS's own element names before the others.
func (d *Document) authorFirst(named string, others []feed.Person) []feed.Person {
	p := person(named)
	if p == (feed.Person{}) {
		return others
	}
	list := []feed.Person{p}
	for _, q := range others {
		list = d.addPerson(list, q)
	}
	return list
}

// maxInherited is how many bytes of people an entry takes over from its feed or origin:
// what stands once in a head would be kept with each of ten thousand entries.
const maxInherited = 4 << 10

// inherit gives an entry without authors those of its feed or origin (RFC 4287 §4.2.1).
func (d *Document) inherit(from []feed.Person) []feed.Person {
	const each = 64 // bytes that a person takes besides its texts, or a little less
	var list []feed.Person
	room := maxInherited
	for _, p := range from {
		if room -= each + len(p.Name) + len(p.Email) + len(p.URL) + len(p.Avatar); room < 0 {
			d.fixes |= fixTooMany
			break
		}
		p.Inherited = true
		list = append(list, p)
	}
	return list
}
