package parse

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"chancery/feed"
)

var update = flag.Bool("update", false, "write what is read as what is wanted")

// Each document of testdata is read as its "want" says. The comment of a file
// tells where such documents are seen and which requirement it proves; a line
// "url: …" or "type: …" in it gives what is known besides the bytes.
func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var o Options
			for line := range strings.Lines(string(ar.Comment)) {
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), "url: "); ok {
					o.URL = v
				}
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), "type: "); ok {
					o.ContentType = v
				}
			}
			got := shownFeed(readWith(bytes.TrimSuffix(ar.Files[0].Data, []byte("\n")), o))
			if *update {
				ar.Files = append(ar.Files[:1], txtar.File{Name: "want", Data: got})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(ar.Files) != 2 {
				t.Fatalf("%s has %d files, want in and want", name, len(ar.Files))
			}
			if diff := cmp.Diff(string(ar.Files[1].Data), string(got)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func readWith(body []byte, o Options) (*feed.Feed, error) {
	d, err := Open(body, o)
	if err != nil {
		return nil, err
	}
	return d.Feed(nil)
}

// shownFeed writes a feed as indented JSON without what is empty.
func shownFeed(f *feed.Feed, err error) []byte {
	if err != nil {
		return []byte("error: " + err.Error() + "\n")
	}
	for i := range f.Entries {
		f.Entries[i].Bytes = feed.Digest{}
	}
	raw, err := json.Marshal(f)
	var v any
	if err = errors.Join(err, json.Unmarshal(raw, &v)); err != nil {
		return []byte(err.Error())
	}
	v, _ = pruned(v)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return []byte(err.Error())
	}
	return b.Bytes()
}

// pruned leaves out what is empty, and reports whether anything is left.
func pruned(v any) (any, bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if p, ok := pruned(e); ok {
				x[k] = p
			} else {
				delete(x, k)
			}
		}
		return x, len(x) > 0
	case []any:
		if len(x) == 32 { // a zero digest
			return nil, false
		}
		for i := range x {
			if p, ok := pruned(x[i]); ok {
				x[i] = p
			}
		}
		return x, len(x) > 0
	case string:
		return x, x != "" && x != "0001-01-01T00:00:00Z"
	case float64:
		return x, x != 0
	case bool:
		return x, x
	}
	return nil, false
}
