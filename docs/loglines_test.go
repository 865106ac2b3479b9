package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// warnings lists the messages that a Go file may log at warn or above: calls of
// slog's methods, and LogAttrs with a level that is not plainly below.
func warnings(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at := -1
		switch method.Sel.Name {
		case "Warn", "Error":
			at = 0
		case "WarnContext", "ErrorContext":
			at = 1
		case "LogAttrs", "Log":
			if len(call.Args) < 3 {
				return true
			}
			if level, ok := call.Args[1].(*ast.SelectorExpr); ok && (level.Sel.Name == "LevelInfo" || level.Sel.Name == "LevelDebug") {
				return true
			}
			at = 2
		}
		if at < 0 || at >= len(call.Args) {
			return true
		}
		if literal, ok := call.Args[at].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}

// What the program logs at warn and above stands in operating.md, with what it means
// and what to do; and nothing else stands there.
func TestLogLines(t *testing.T) {
	b, err := os.ReadFile("operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(b), "\n## Log lines\n")
	if !found {
		t.Fatal(`operating.md has no part "Log lines"`)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	documented := map[string]bool{}
	for line := range strings.Lines(part) {
		if cells := strings.Split(line, "|"); len(cells) > 2 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			documented[strings.Trim(strings.TrimSpace(cells[1]), "`")] = true
		}
	}
	logged := map[string]bool{}
	for _, p := range packages(t) {
		if under(p.ImportPath, "cmd/chancerybench") || under(p.ImportPath, "store/storetest") {
			continue
		}
		for _, name := range p.GoFiles {
			for _, text := range warnings(t, filepath.Join(p.Dir, name)) {
				logged[text] = true
				if !documented[text] {
					t.Errorf("%s/%s logs %q, which operating.md does not explain", p.ImportPath, name, text)
				}
			}
		}
	}
	for text := range documented {
		if !logged[text] {
			t.Errorf("operating.md explains %q, which nothing logs", text)
		}
	}
}

// The messages of a file are found, whatever the way they are logged.
func TestWarnings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	const src = `package a
func f() {
	log.Info("one"); log.Warn("two"); log.WarnContext(ctx, "three"); log.ErrorContext(ctx, "four", "k", 1)
	log.LogAttrs(ctx, slog.LevelInfo, "five"); log.LogAttrs(ctx, slog.LevelWarn, "six"); log.LogAttrs(ctx, level, "seven")
	err.Error()
}`
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := warnings(t, file), []string{"two", "three", "four", "six", "seven"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
