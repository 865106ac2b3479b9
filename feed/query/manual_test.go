package query_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"chancery/feed/query"
)

// manual reads docs/query.md.
func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "query.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// example makes a document of an example's text: "fr: [title] text".
func example(s string) *query.Doc {
	lang, title := "en", ""
	if l, rest, ok := strings.Cut(s, ": "); ok && len(l) == 2 {
		lang, s = l, rest
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		title, s, _ = strings.Cut(rest, "] ")
	}
	return query.NewTextDoc(title, s, lang)
}

// The examples of the manual say what happens.
func TestManualExamples(t *testing.T) {
	blocks := strings.Split(manual(t), "```query\n")[1:]
	if len(blocks) < 20 {
		t.Fatalf("%d examples found", len(blocks))
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "\n```")
		lines := strings.Split(b, "\n")
		q, err := query.Parse(lines[0])
		if len(lines) < 2 {
			t.Errorf("%s: an example without a text", lines[0])
		}
		for _, line := range lines[1:] {
			want := strings.TrimSpace(line[1:])
			if line[0] == '!' {
				if err == nil || err.Error() != want {
					t.Errorf("%s: error %v, want %s", lines[0], err, want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", lines[0], err)
				break
			}
			if _, ok := q.Match(example(want), now); ok != (line[0] == '+') {
				t.Errorf("%s: matches %q: %v", lines[0], want, ok)
			}
		}
	}
}

// So do its tables: of fields on one item, of scores.
func TestManualTables(t *testing.T) {
	it := post()
	it.Story = it.ID
	d := query.NewDoc(it, "LobeLog")
	fields, scores := 0, 0
	for line := range strings.Lines(manual(t)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(c), "`"))
		}
		q, err := query.Parse(cells[0])
		if err != nil {
			t.Errorf("%s: %v", cells[0], err)
			continue
		}
		switch len(cells) {
		case 2:
			fields++
			if _, ok := q.Match(d, now); ok != (cells[1] == "yes") {
				t.Errorf("%s: %v, the manual says %s", cells[0], ok, cells[1])
			}
		case 3:
			scores++
			m, ok := q.Match(example(cells[1]), now)
			want, err := strconv.ParseFloat(cells[2], 64)
			if diff := m.Score - want; err != nil || !ok || diff > 1e-9 || diff < -1e-9 {
				t.Errorf("%s on %q: score %v, the manual says %s", cells[0], cells[1], m.Score, cells[2])
			}
		}
	}
	if fields < 20 || scores < 6 {
		t.Errorf("%d and %d rows found", fields, scores)
	}
}
