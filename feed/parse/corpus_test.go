package parse

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/feed/feedtest"
	feedhtml "chancery/feed/html"
)

// Every captured feed is read, no item of it is lost, and what comes out is sane:
// links absolute, dates plausible, no entry without anything.
func TestRealFeeds(t *testing.T) {
	dir := feedtest.Reference(t, "corpus", "real-feeds")
	file, err := os.Open(filepath.Join(dir, "PROVENANCE.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := csv.NewReader(file)
	rows.Comma, rows.LazyQuotes, rows.FieldsPerRecord = '\t', true, -1
	read, items, dated, repaired, marked := 0, 0, 0, 0, 0
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row[0] == "file" {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(body, Options{URL: "https://" + row[8] + "/"})
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		f, err := d.Feed(nil)
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		if want, _ := strconv.Atoi(row[7]); len(f.Entries) != want {
			t.Errorf("%s: %d entries, want %d (%v)", row[0], len(f.Entries), want, f.Repairs)
			continue
		}
		read++
		if len(f.Repairs) > 0 {
			repaired++
		}
		for i, e := range f.Entries {
			items++
			for _, u := range []string{e.URL, e.Comments, e.Image} {
				if u != "" && !isAbsolute(u) {
					t.Errorf("%s entry %d: %q is not absolute", row[0], i, u)
				}
			}
			if plain := feedhtml.Plain(e.Title); looksHTML(plain) {
				marked++
				t.Logf("%s entry %d: the title shows markup: %q", row[0], i, plain)
			}
			for _, p := range []feed.Date{e.Published, e.Updated} {
				if p.Raw == "" || strings.Contains(p.Raw, "01 Jan 0001") && p.IsZero() && p.Flag == flagRange {
					continue
				}
				if y := p.Time.Year(); y < 1995 || y > 2027 {
					t.Errorf("%s entry %d: date %q was read as %v", row[0], i, p.Raw, p.Time)
				} else {
					dated++
				}
			}
		}
	}
	t.Logf("%d of 220 feeds read, %d items, %d dates, %d feeds with repairs", read, items, dated, repaired)
	if marked > 1 { // one of them is about HTML
		t.Errorf("%d titles show markup", marked)
	}
	if read != 220 {
		t.Errorf("%d feeds read as they should, want 220", read)
	}
}
