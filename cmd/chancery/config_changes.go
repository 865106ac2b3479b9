package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"chancery/cmd/chancery/control"
)

// changes says, a line each, in what another configuration differs from c, and
// which of the differences wait for the next start.
func (c *Config) changes(other *Config) (changed, restart []string) {
	needsRestart := []string{
		"data_dir", "server.listen", "server.metrics_listen", "server.control",
		"archive.volume_size",
		"archive.keep_documents",
		"search.max_time", "search.max_concurrent",
	}
	compareTables("", reflect.ValueOf(*c), reflect.ValueOf(*other), func(path string, was, is any) {
		text := fmt.Sprintf("%s: %v → %v", path, plainValue(was), plainValue(is))
		if slices.Contains(needsRestart, path) {
			restart = append(restart, text)
		} else {
			changed = append(changed, text)
		}
	})
	changed = append(changed, compareLists("topic", c.Topics, other.Topics, func(i int, of *Config) string { return string(of.Topics[i].ID) }, c, other)...)
	changed = append(changed, compareLists("feed", c.Feeds, other.Feeds, func(i int, of *Config) string { return of.Feeds[i].ID }, c, other)...)
	changed = append(changed, compareLists("source", c.Sources, other.Sources, func(i int, of *Config) string { return of.Sources[i].ID }, c, other)...)
	return changed, restart
}

// compareTables reports the keys of two structs whose values differ.
func compareTables(path string, a, b reflect.Value, differ func(path string, was, is any)) {
	for _, f := range reflect.VisibleFields(a.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		x, y := a.FieldByIndex(f.Index), b.FieldByIndex(f.Index)
		switch {
		case x.Kind() == reflect.Slice && x.Type().Elem().Kind() == reflect.Struct && !canText(reflect.Zero(x.Type().Elem())):
			// tables with ids: compareLists
		case x.Kind() == reflect.Struct && !canText(x):
			compareTables(join(path, name), x, y, differ)
		case !reflect.DeepEqual(x.Interface(), y.Interface()):
			differ(join(path, name), x.Interface(), y.Interface())
		}
	}
}

// compareLists says which elements came, went and changed, by id.
func compareLists[T any](kind string, a, b []T, id func(int, *Config) string, old, now *Config) []string {
	var said []string
	was := map[string]int{}
	for i := range a {
		was[id(i, old)] = i
	}
	for i := range b {
		name := id(i, now)
		at, ok := was[name]
		switch {
		case !ok:
			said = append(said, fmt.Sprintf("%s %s added", kind, name))
		case !reflect.DeepEqual(a[at], b[i]):
			said = append(said, fmt.Sprintf("%s %s changed: %s", kind, name, strings.Join(differences(a[at], b[i]), ", ")))
		}
		delete(was, name)
	}
	for i := range a {
		if _, gone := was[id(i, old)]; gone {
			said = append(said, fmt.Sprintf("%s %s removed", kind, id(i, old)))
		}
	}
	return said
}

// differences names the keys in which two tables differ, and the values where they
// are short and no secret can be in them.
func differences(a, b any) []string {
	var said []string
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for _, f := range reflect.VisibleFields(x.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		was, is := x.FieldByIndex(f.Index), y.FieldByIndex(f.Index)
		if reflect.DeepEqual(was.Interface(), is.Interface()) {
			continue
		}
		text := name
		if name != "headers" && was.Kind() != reflect.Slice && was.Kind() != reflect.Pointer {
			from, to := plainValue(was.Interface()), plainValue(is.Interface())
			if len(from)+len(to) <= 160 && !strings.Contains(from+to, "\\n") {
				text = fmt.Sprintf("%s: %s → %s", name, from, to)
			}
		}
		said = append(said, control.Redacted([]string{text}))
	}
	return said
}
