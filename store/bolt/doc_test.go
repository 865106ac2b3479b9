package bolt_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The map in the package's comment names each file once, and none that is not there.
func TestMap(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, places, _ := strings.Cut(string(doc), "# Where things are")
	named := regexp.MustCompile(`[a-z]+\.go\b`).FindAllString(places, -1)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") || f == "doc.go" })
	slices.Sort(named)
	if !slices.Equal(named, files) {
		t.Errorf("the map names\n%q\nthere are\n%q", named, files)
	}
}
