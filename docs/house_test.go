package docs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "chancery/"

// pkg is what the test needs of go list.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,GoFiles,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// under reports whether an import path lies in a room.
func under(path, room string) bool { return strings.HasPrefix(path+"/", module+room+"/") }

// never lists imports the house forbids: no package under the key may reach, even
// through others, one under a value. Change it together with ARCHITECTURE.md.
var never = map[string][]string{
	"feed":       {"store", "aggregator", "publish", "cmd"},
	"store":      {"aggregator", "publish", "cmd"},
	"aggregator": {"publish", "store/bolt", "store/index", "cmd"},
	"publish":    {"aggregator", "store/bolt", "store/index", "cmd"},
}

// Data flows one way: nothing below reaches up, and in and out meet only in the
// archive (HOUSE part 4).
func TestNevers(t *testing.T) {
	for _, p := range packages(t) {
		for room, bad := range never {
			if !under(p.ImportPath, room) {
				continue
			}
			for _, dep := range p.Deps {
				if slices.ContainsFunc(bad, func(b string) bool { return under(dep, b) }) {
					t.Errorf("%s reaches %s", p.ImportPath, dep)
				}
			}
		}
	}
}

// stages are the steps of the pipeline: it passes values between them, they do
// not know each other.
var stages = []string{"schedule", "fetch", "normalize", "identify", "topic", "discover"}

// A stage never imports another stage.
func TestStagesApart(t *testing.T) {
	for _, p := range packages(t) {
		for _, s := range stages {
			if !under(p.ImportPath, "aggregator/"+s) {
				continue
			}
			for _, dep := range p.Deps {
				for _, other := range stages {
					if other != s && under(dep, "aggregator/"+other) {
						t.Errorf("stage %s reaches stage %s", p.ImportPath, dep)
					}
				}
			}
		}
	}
}

// only names libraries that one room alone may import, so that leaving a library
// means changing one room.
var only = map[string][]string{
	"go.etcd.io/bbolt":           {"store/bolt"},
	"modernc.org/sqlite":         {"store/index"},
	"github.com/mmcdole/gofeed":  {"feed/parse"},
	"github.com/gorilla/feeds":   {"publish/render"},
	"github.com/BurntSushi/toml": {"cmd"},
	"github.com/spf13/cobra":     {"cmd"},

	"github.com/prometheus/client_golang": {"cmd"},
}

// Each library of the archive's, the parser's and the program's has one door.
func TestOneDoor(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for lib, rooms := range only {
				if imp != lib && !strings.HasPrefix(imp, lib+"/") {
					continue
				}
				if !slices.ContainsFunc(rooms, func(r string) bool { return under(p.ImportPath, r) }) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, imp, rooms)
				}
			}
		}
	}
}

// Every package says once what it is.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// outgoing lists what would open a connection past the guarded transport of
// aggregator/fetch, which refuses private addresses in its dialer.
var outgoing = []string{"http.Get(", "http.Post(", "http.Head(", "http.PostForm(", "http.DefaultClient", "http.DefaultTransport", "net.Dial("}

// Outgoing HTTP goes only through the guarded transport (CONFORMANCE SEC-01).
func TestOneWayOut(t *testing.T) {
	for _, p := range packages(t) {
		// The benchmark is a program of its own that talks to a farm on this machine.
		if under(p.ImportPath, "aggregator/fetch") || under(p.ImportPath, "cmd/chancerybench") {
			continue
		}
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range outgoing {
				if strings.Contains(string(src), call) {
					t.Errorf("%s/%s uses %s", p.ImportPath, name, call)
				}
			}
		}
	}
}
