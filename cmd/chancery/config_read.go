package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// configFault is one thing wrong in a configuration file.
type configFault struct {
	file string
	at   position // zero: about the file as a whole
	text string
}

func (f configFault) Error() string {
	if f.at.line == 0 {
		return fmt.Sprintf("%s: %s", f.file, f.text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.file, f.at.line, f.at.col, f.text)
}

// configFaults are all faults of a file, by place. It is one error with a line
// for each.
type configFaults []configFault

func (fs configFaults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

func (fs configFaults) sorted() configFaults {
	slices.SortStableFunc(fs, func(a, b configFault) int {
		return (a.at.line-b.at.line)*10_000 + a.at.col - b.at.col
	})
	return fs
}

// parseConfig reads a document onto the defaults. It returns every fault in it
// at once, unless the document is no TOML: then there is nothing to look at
// behind the first. The error is a configFaults.
func parseConfig(file string, doc []byte) (*Config, error) {
	c, r, err := readConfig(file, doc)
	if err != nil {
		return nil, err
	}
	c.check(r.fault)
	if len(r.faults) > 0 {
		return nil, r.faults.sorted()
	}
	return c, nil
}

// readConfig is parseConfig without the checks of what the values mean: the
// reader has the faults so far. The error is of a document that is no TOML.
func readConfig(file string, doc []byte) (*Config, *configReader, error) {
	c := defaultConfig()
	c.file = file
	var tree map[string]any
	if _, err := toml.Decode(string(doc), &tree); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, nil, configFaults{{file, placeAt(string(doc), pe.Position.Start), pe.Message}}
		}
		return nil, nil, configFaults{{file: file, text: err.Error()}}
	}
	c.places, c.doc = scanPositions(string(doc)), string(doc)
	r := &configReader{file: file, places: c.places}
	r.table("", tree, reflect.ValueOf(c).Elem())
	return c, r, nil
}

// configReader decodes key by key: the library stops at the first value that
// does not fit, and an operator wants to hear of all.
type configReader struct {
	file   string
	places keyPositions
	faults configFaults
}

// fault notes what is wrong at a path ("fetch.min_interval").
func (r *configReader) fault(path, text string) {
	f := configFault{file: r.file, text: text}
	f.at, _ = r.places.find(path)
	if path != "" {
		f.text = elementNumber.ReplaceAllString(path, "") + ": " + text // the line says which element
	}
	if !slices.Contains(r.faults, f) {
		r.faults = append(r.faults, f)
	}
}

var elementNumber = regexp.MustCompile(`\[\d+\]`)

// table decodes the keys of one table into a struct.
func (r *configReader) table(path string, tree map[string]any, into reflect.Value) {
	fields := fieldsOf(into.Type())
	for key, value := range tree {
		at := join(path, key)
		index, ok := fields[key]
		if !ok {
			text := "unknown key"
			if strings.HasPrefix(fmt.Sprintf("%T", value), "map") || fmt.Sprintf("%T", value) == "[]map[string]interface {}" {
				text = "unknown table"
			}
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			if near := nearest(key, names); near != "" {
				text += fmt.Sprintf(" (did you mean %s?)", near)
			}
			if _, isArray := value.([]map[string]any); isArray {
				at += "[0]"
			}
			r.fault(at, text)
			continue
		}
		field := into.FieldByIndex(index)
		switch value := value.(type) {
		case map[string]any:
			if field.Kind() == reflect.Struct && !isText(field) {
				r.table(at, value, field)
				continue
			}
		case []map[string]any:
			if field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct {
				list := reflect.MakeSlice(field.Type(), len(value), len(value))
				for i, element := range value {
					r.table(fmt.Sprintf("%s[%d]", at, i), element, list.Index(i))
				}
				field.Set(list)
				continue
			}
		}
		if err := decodeValue(value, field); err != nil {
			r.fault(at, err.Error())
		}
	}
}

// decodeValue has the library decode one value, so that its rules for types hold.
func decodeValue(value any, into reflect.Value) error {
	if _, isText := value.(string); into.Type() == reflect.TypeFor[duration]() && !isText {
		return fmt.Errorf("%v is not %s", value, wantOf(into.Type())) // the library would take nanoseconds
	}
	var doc bytes.Buffer
	if err := toml.NewEncoder(&doc).Encode(map[string]any{"v": value}); err != nil {
		return err
	}
	target := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: into.Type(), Tag: `toml:"v"`}}))
	if _, err := toml.Decode(doc.String(), target.Interface()); err != nil {
		text := err.Error()
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			text = pe.Message
		}
		text = strings.TrimPrefix(text, "toml: ")
		if want := wantOf(into.Type()); want != "" {
			return fmt.Errorf("%v is not %s", plainValue(value), want)
		}
		return errors.New(text)
	}
	into.Set(target.Elem().Field(0))
	return nil
}

func plainValue(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// wantOf says in words what a key of a type takes.
func wantOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[duration]():
		return `a duration such as "30s", "15m" or "24h"`
	case reflect.TypeFor[netip.Prefix]():
		return `a network such as "192.168.1.0/24"`
	case reflect.TypeFor[keeping]():
		return `"forever", "none", or a number of days such as "365d"`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint64, reflect.Int32, reflect.Uint8:
		return "a whole number in range"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text in quotes"
	case reflect.Slice:
		if e := wantOf(t.Elem()); e != "" {
			return "a list in brackets, each " + e
		}
		return "a list in brackets"
	case reflect.Map:
		return "a table of names and texts"
	case reflect.Pointer:
		return wantOf(t.Elem())
	case reflect.Struct:
		return "a table"
	}
	return ""
}

func isText(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[interface{ UnmarshalText([]byte) error }](v.Addr())
	return ok
}

// fieldsOf maps the keys of a struct, those of its embedded structs included,
// to their fields.
func fieldsOf(t reflect.Type) map[string][]int {
	m := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if name != "" && name != "-" && f.IsExported() {
			m[name] = f.Index
		}
	}
	return m
}

// readConfigFile reads the file that getenv and the flag choose, or the
// documented default if there is none.
func readConfigFile(flag string, getenv func(string) string) (*Config, error) {
	name, err := findConfig(flag, getenv)
	if err != nil {
		return nil, failWith(exitConfig, err)
	}
	if name == "" {
		c, err := parseConfig(builtinName, []byte(defaultDoc))
		return c, failWith(exitConfig, err)
	}
	doc, err := os.ReadFile(name)
	if err != nil {
		status := exitConfig
		if errors.Is(err, fs.ErrPermission) {
			status = exitPermission
		}
		return nil, failWith(status, fmt.Errorf("configuration: %w", err))
	}
	c, err := parseConfig(name, doc)
	return c, failWith(exitConfig, err)
}

// builtinName is what the built-in default is called where a file is named.
const builtinName = "(built-in default)"

// findConfig looks in the places of CONTRACT.md part 1, in their order. A file
// that was asked for by name must be there; of the others the first that is.
func findConfig(flag string, getenv func(string) string) (string, error) {
	for _, asked := range []string{flag, getenv("CHANCERY_CONFIG")} {
		if asked != "" {
			return asked, nil
		}
	}
	places := []string{"config.toml"}
	if dir := xdg("XDG_CONFIG_HOME", ".config", getenv); dir != "" {
		places = append(places, dir+"/chancery/config.toml")
	}
	if dir, _, _ := strings.Cut(getenv("CONFIGURATION_DIRECTORY"), ":"); dir != "" { // the service manager's
		places = append(places, dir+"/config.toml")
	}
	places = append(places, "/etc/chancery/config.toml")
	for _, name := range places {
		_, err := os.Stat(name)
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("configuration: %w", err)
		}
	}
	return "", nil
}

// xdg is a base directory of the XDG specification: a relative value is to be
// ignored (CONFORMANCE OPS-11). Empty if there is no home either.
func xdg(name, fallback string, getenv func(string) string) string {
	if dir := getenv(name); strings.HasPrefix(dir, "/") {
		return dir
	}
	if home := getenv("HOME"); strings.HasPrefix(home, "/") {
		return home + "/" + fallback
	}
	return ""
}
