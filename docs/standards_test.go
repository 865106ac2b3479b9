package docs

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requirements is how many there are of each kind; they are numbered from 1.
var requirements = map[string]int{"F": 142, "P": 77, "PUB": 98, "OPS": 30, "SEC": 33}

var (
	namedTest    = regexp.MustCompile(`(?:(\w+)\.)?\b((?:Test|Fuzz|Benchmark)[A-Z]\w*)`)
	namedScript  = regexp.MustCompile(`([a-z0-9_-]+)\.txtar`)
	namedDoc     = regexp.MustCompile("documents (`[^;|]*)")
	quoted       = regexp.MustCompile("`([a-z0-9-]+)`")
	declaration  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(\w+ \*testing\.`)
	requirement  = regexp.MustCompile(`\b(F|P|PUB|OPS|SEC)-(\d+)(?: to (F|P|PUB|OPS|SEC)-(\d+))?`)
	tableRow     = regexp.MustCompile(`(?m)^\|([^|]*)\|(.*)\|$`)
	missingTable = regexp.MustCompile(`(?s)\n## What is missing\n(.*?)\n## `)
)

func standards(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("standards.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testsOf lists the tests of each package, by the last part of its path: that of
// main packages is the command's name.
func testsOf(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, p := range packages(t) {
		name := path.Base(p.ImportPath)
		if all[name] != nil {
			t.Errorf("two packages are called %s: a test's name does not say where it is", name)
		}
		all[name] = map[string]bool{}
		files, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declaration.FindAllSubmatch(src, -1) {
				all[name][string(m[1])] = true
			}
		}
	}
	return all
}

// missingProofs names what a text takes for a proof and is none.
func missingProofs(text string, tests map[string]map[string]bool, dirs ...string) (faults []string) {
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		switch pkg, test := m[1], m[2]; {
		case test == "TestName": // the head of the page, on names
		case pkg == "":
			faults = append(faults, test+" is named without its package")
		case !tests[pkg][test]:
			faults = append(faults, fmt.Sprintf("package %s has no test %s", pkg, test))
		}
	}
	files := []string{}
	for _, m := range namedScript.FindAllStringSubmatch(text, -1) {
		files = append(files, m[1])
	}
	for _, m := range namedDoc.FindAllStringSubmatch(text, -1) {
		for _, q := range quoted.FindAllStringSubmatch(m[1], -1) {
			files = append(files, q[1])
		}
	}
	for _, f := range files {
		if !slices.ContainsFunc(dirs, func(dir string) bool { _, err := os.Stat(filepath.Join(dir, f+".txtar")); return err == nil }) {
			faults = append(faults, "there is no "+f+".txtar")
		}
	}
	return faults
}

const (
	scripts   = "../cmd/chancery/testdata/script"
	documents = "../feed/parse/testdata"
)

// Every proof that standards.md names is there.
func TestProofsExist(t *testing.T) {
	text := standards(t)
	if n := len(namedTest.FindAllString(text, -1)); n < 300 {
		t.Errorf("standards.md names %d tests: is it whole?", n)
	}
	tests := testsOf(t)
	for _, fault := range missingProofs(text, tests, scripts, documents) {
		t.Error(fault)
	}
	security, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range missingProofs(string(security), tests, scripts, documents) {
		t.Error("security.md:", fault)
	}
}

// What is no proof is found.
func TestMissingProofs(t *testing.T) {
	tests := map[string]map[string]bool{"one": {"TestA": true}, "two": {"TestB": true}}
	for text, want := range map[string]string{
		"| F-01 | one.TestA, two.TestB |":      "",
		"| F-01 | one.TestB |":                 "package one has no test TestB",
		"| F-01 | TestA |":                     "TestA is named without its package",
		"| F-01 | three.FuzzC |":               "package three has no test FuzzC",
		"| F-01 | none.txtar |":                "there is no none.txtar",
		"| F-01 | documents `cdf`, `nosuch` |": "there is no nosuch.txtar",
	} {
		if got := strings.Join(missingProofs(text, tests, documents), "\n"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// named lists the requirements in a text, ranges included.
func named(t *testing.T, text string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, m := range requirement.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last := first
		if m[3] != "" {
			last, _ = strconv.Atoi(m[4])
		}
		if m[3] != "" && m[3] != m[1] || last < first || last > requirements[m[1]] {
			t.Errorf("%s is no range of requirements", m[0])
			continue
		}
		for n := first; n <= last; n++ {
			all[fmt.Sprintf("%s-%02d", m[1], n)] = true
		}
	}
	return all
}

// Every requirement has a row, and those that are not done or without a test, no
// others, are listed as such at the top.
func TestRequirementsCovered(t *testing.T) {
	text := standards(t)
	top := missingTable.FindStringSubmatchIndex(text)
	if top == nil {
		t.Fatal(`no part "What is missing"`)
	}
	rows, confessed := map[string]bool{}, map[string]bool{}
	for _, m := range tableRow.FindAllStringSubmatch(text[top[3]:], -1) {
		ids := named(t, m[1])
		maps.Copy(rows, ids)
		if proof := strings.TrimSpace(m[2]); strings.HasPrefix(proof, "not done") || strings.HasPrefix(proof, "no test") {
			maps.Copy(confessed, ids)
		}
	}
	for kind, n := range requirements {
		for i := 1; i <= n; i++ {
			if id := fmt.Sprintf("%s-%02d", kind, i); !rows[id] {
				t.Errorf("%s has no row", id)
			}
		}
	}
	listed := map[string]bool{}
	for _, m := range tableRow.FindAllStringSubmatch(text[top[2]:top[3]], -1) {
		if !strings.HasPrefix(strings.TrimSpace(m[1]), "tested in part") {
			maps.Copy(listed, named(t, m[2]))
		}
	}
	if want := fmt.Sprintf("%d are proved by tests", 380-len(confessed)); !strings.Contains(text, want) {
		t.Errorf("standards.md does not say that %s", want)
	}
	for id := range confessed {
		if !listed[id] {
			t.Errorf("%s is not done or has no test, which the top does not say", id)
		}
	}
	for id := range listed {
		if !confessed[id] {
			t.Errorf("the top says that %s is not done or has no test, its row says otherwise", id)
		}
	}
}
