package docs

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

// licenses tells a license by words of its own. All of them ask for no more than
// that their text goes along.
var licenses = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
	{"Unlicense", "This is free and unencumbered software"},
}

// licenseOf tells the license of a module by its file.
func licenseOf(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "[LC][IO][CP][EY]*"))
	if err != nil {
		return ""
	}
	more, _ := filepath.Glob(filepath.Join(dir, "LICEN[CS]E*"))
	for _, file := range append(more, files...) {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		text := strings.Join(strings.Fields(string(b)), " ")
		var found []string
		for _, l := range licenses {
			if strings.Contains(text, l.words) && (l.name != "BSD-2-Clause" || !slices.Contains(found, "BSD-3-Clause")) {
				found = append(found, l.name)
			}
		}
		if len(found) > 0 {
			return strings.Join(found, ", ") // some have parts under another
		}
	}
	return ""
}

// SEC-33: licenses.md lists every module that is in the program, with its version and
// a license that we know. go test ./docs -update writes it anew.
func TestLicenses(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Module", module+"cmd/chancery").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	rows := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		license := licenseOf(p.Module.Dir)
		if license == "" {
			t.Errorf("%s has no license that we know: look at %s", p.Module.Path, p.Module.Dir)
		}
		rows[fmt.Sprintf("| %s | %s | %s |", p.Module.Path, p.Module.Version, license)] = true
	}
	list := make([]string, 0, len(rows))
	for row := range rows {
		list = append(list, row)
	}
	slices.Sort(list)
	want := licensesHead + strings.Join(list, "\n") + "\n"
	if *update {
		if err := os.WriteFile("licenses.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("licenses.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("licenses.md is not up to date: go test ./docs -run TestLicenses -update")
	}
}

const licensesHead = `# Licenses

What is linked into the program beside Go's own library (BSD-3-Clause), with the license that each module's own file has. Made by ` + "`go test ./docs -run TestLicenses -update`" + `; the same test
fails when this page does not say what is linked, or when there is a license that it does not know. All of them may be used in any program; they ask that their texts go along.

| module | version | license |
|---|---|---|
`
