package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	return group("config", "Check, show and make a configuration",
		&cobra.Command{
			Use:   "check",
			Short: "Name every fault of the configuration by line, without network",
			Args:  exactly(),
			RunE:  p.local(p.configCheck),
		},
		&cobra.Command{
			Use:   "show",
			Short: "Show the values in effect and where each comes from",
			Args:  exactly(),
			RunE:  p.local(p.configShow),
		},
		&cobra.Command{
			Use:   "default",
			Short: "Print the documented default",
			Args:  exactly(),
			RunE: p.local(func(context.Context, []string) error {
				_, err := p.out.Write([]byte(defaultDoc))
				return err
			}),
		},
	)
}

func (p *program) configCheck(context.Context, []string) error {
	c, err := p.loadConfig()
	if err != nil {
		return err
	}
	// The credentials are the daemon's: a shell has none, unless it says so.
	for _, w := range append(c.warnings(), c.absent(p.getenv("CREDENTIALS_DIRECTORY") != "")...) {
		p.note("warning: %s", w)
	}
	_, err = fmt.Fprintf(p.out, "%s: %s, %s, %s: no faults\n", c.file, plural(len(c.Sources), "source"), plural(len(c.Topics), "topic"), plural(len(c.Feeds), "feed"))
	return err
}

// configShow prints the configuration in effect as TOML, with a comment behind
// each value that says where it comes from.
func (p *program) configShow(context.Context, []string) error {
	c, err := p.loadConfig()
	if err != nil {
		return err
	}
	dir, from, err := c.dataDir(p.flags.data, p.getenv)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s, %s\n", c.file, p.configFrom(c))
	shown := *c
	shown.DataDir = dir
	w := &configWriter{out: &b, c: c, from: map[string]string{"data_dir": from}}
	socket, from := c.controlFrom(p.flags.socket, dir, p.getenv)
	if shown.Server.Control != socket {
		shown.Server.Control, w.from["server.control"] = socket, from
	}
	if shown.Server.BaseURL == "" {
		shown.Server.BaseURL, w.from["server.base_url"] = "http://"+shown.Server.Listen, "default, from listen"
		if strings.HasPrefix(shown.Server.Listen, "unix:") {
			shown.Server.BaseURL = "http://localhost"
		}
	}
	w.table("", "", reflect.ValueOf(shown))
	_, err = p.out.Write(b.Bytes())
	return err
}

// configFrom says why it is this file.
func (p *program) configFrom(c *Config) string {
	switch {
	case c.file == builtinName:
		return "as there is no file at the usual places"
	case p.flags.config != "":
		return "by --config"
	case p.getenv("CHANCERY_CONFIG") != "":
		return "by $CHANCERY_CONFIG"
	}
	return "found at its usual place"
}

// configWriter writes a struct as TOML with the origin of each value.
type configWriter struct {
	out  *bytes.Buffer
	c    *Config
	from map[string]string // origins that are not the file's
}

// table writes the values of a struct, then its tables. path is with numbers of
// elements, header without.
func (w *configWriter) table(path, header string, v reflect.Value) {
	type below struct {
		name string
		v    reflect.Value
	}
	var later []below
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		value := v.FieldByIndex(f.Index)
		isTable := value.Kind() == reflect.Struct && !canText(value)
		isTables := value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct && !canText(reflect.Zero(value.Type().Elem()))
		switch {
		case isTable || isTables:
			later = append(later, below{name, value})
		case value.Kind() == reflect.Pointer && value.IsNil():
		case strings.Contains(path, "[") && value.IsZero() && !w.given(join(path, name)): // entries show what they say
		default:
			w.value(join(path, name), name, value)
		}
	}
	for _, b := range later {
		at := join(header, b.name)
		if b.v.Kind() == reflect.Struct {
			fmt.Fprintf(w.out, "\n[%s]\n", at)
			w.table(join(path, b.name), at, b.v)
			continue
		}
		for i := range b.v.Len() {
			fmt.Fprintf(w.out, "\n[[%s]]\n", at)
			w.table(fmt.Sprintf("%s[%d]", join(path, b.name), i), at, b.v.Index(i))
		}
	}
}

// given reports whether the file has a value at path.
func (w *configWriter) given(path string) bool {
	_, ok := w.c.places[path]
	return ok
}

func (w *configWriter) value(path, name string, v reflect.Value) {
	text, err := tomlValue(v.Interface())
	if err != nil {
		fmt.Fprintf(w.out, "# %s: %v\n", name, err)
		return
	}
	from := w.from[path]
	if from == "" {
		from = "default"
		if at, ok := w.c.places[path]; ok && w.c.file != builtinName {
			from = fmt.Sprintf("line %d", at.line)
		}
	}
	if strings.Contains(text, "\n") {
		fmt.Fprintf(w.out, "# %s:\n%s = %s\n", from, name, text)
		return
	}
	fmt.Fprintf(w.out, "%-40s # %s\n", name+" = "+text, from)
}

// tomlValue writes a value as it stands behind "key = ".
func tomlValue(v any) (string, error) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "\n") && !strings.Contains(v, "'''") && !strings.HasPrefix(v, "\n") {
			return "'''\n" + v + "'''", nil
		}
	case map[string]string: // the encoder would make a table of its own
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, fmt.Sprintf("%q = %q", key, v[key]))
		}
		return "{" + strings.Join(pairs, ", ") + "}", nil
	}
	switch of := reflect.ValueOf(v); { // the encoder leaves out what is nil
	case of.Kind() == reflect.Slice && of.Len() == 0:
		return "[]", nil
	case of.Kind() == reflect.Map && of.Len() == 0:
		return "{}", nil
	}
	var doc bytes.Buffer
	if err := toml.NewEncoder(&doc).Encode(map[string]any{"v": v}); err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimPrefix(doc.String(), "v = "), "\n"), nil
}

func canText(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[interface{ MarshalText() ([]byte, error) }](v)
	return ok
}
