package main

import (
	"encoding/json"
	"fmt"
	htmlpkg "html"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/versions"
)

// printDiff prints what changed from one version to another, as plain text: on a
// terminal with color deleted words are red and inserted ones green, elsewhere
// they stand in [-…-] and {+…+}, as git's word diff has it.
func (e *Env) printDiff(old, now *feed.Item) error {
	worth := ""
	if now.Trivial && now.Revision == old.Revision+1 {
		worth = ", a trivial change"
	}
	if err := e.printf("%s\nversion %d of %s → version %d of %s%s\n\n", now.ID, old.Revision, timeText(old.Revised), now.Revision, timeText(now.Revised), worth); err != nil {
		return err
	}
	fields := versions.Compare(old, now)
	if len(fields) == 0 {
		return e.printf("What readers see is the same.\n")
	}
	for _, f := range fields {
		if err := e.printf("%s:\n%s\n\n", f.Name, e.wordDiff(f.Changes)); err != nil {
			return err
		}
	}
	return nil
}

// diffJSON is the difference of two versions, as the API has it (schema Diff).
type diffJSON struct {
	ID     feed.ItemID `json:"id"`
	From   diffSide    `json:"from"`
	To     diffSide    `json:"to"`
	Fields []fieldJSON `json:"fields"`
}

type diffSide struct {
	Revision int    `json:"revision"`
	At       string `json:"at"`
	Digest   string `json:"digest"`
}

type fieldJSON struct {
	Field   string       `json:"field"`
	Changes []changeJSON `json:"changes"`
}

type changeJSON struct {
	Op   string `json:"op"` // "=", "-" or "+"
	Text string `json:"text"`
}

func (e *Env) jsonDiff(old, now *feed.Item) error {
	side := func(it *feed.Item) diffSide {
		return diffSide{it.Revision, it.Revised.UTC().Format(time.RFC3339Nano), it.Digest.String()}
	}
	d := diffJSON{ID: now.ID, From: side(old), To: side(now), Fields: []fieldJSON{}}
	for _, f := range versions.Compare(old, now) {
		field := fieldJSON{Field: f.Name, Changes: []changeJSON{}}
		for _, c := range f.Changes {
			field.Changes = append(field.Changes, changeJSON{c.Op.String(), c.Text})
		}
		d.Fields = append(d.Fields, field)
	}
	enc := json.NewEncoder(e.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

// htmlDiff is the difference as a page by itself.
func htmlDiff(old, now *feed.Item) string {
	var b strings.Builder
	title := fmt.Sprintf("Versions %d and %d of %s", old.Revision, now.Revision, now.ID)
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<p>%s → %s</p>\n",
		title, title, timeText(old.Revised), timeText(now.Revised))
	for _, f := range versions.Compare(old, now) {
		fmt.Fprintf(&b, "<h2>%s</h2>\n<p dir=\"auto\" style=\"white-space: pre-wrap\">", htmlpkg.EscapeString(f.Name))
		for _, c := range f.Changes {
			text := htmlpkg.EscapeString(c.Text)
			switch c.Op {
			case html.Delete:
				text = "<del>" + text + "</del>"
			case html.Insert:
				text = "<ins>" + text + "</ins>"
			case html.Equal:
			}
			b.WriteString(text)
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

// keepAround is how many bytes of equal text stand on each side of a change.
const keepAround = 200

func (e *Env) wordDiff(changes []html.Change) string {
	var b strings.Builder
	moved := movedText(changes)
	for i, c := range changes {
		text := printableLines(c.Text)
		if c.Op == html.Delete && moved[strings.TrimSpace(c.Text)] {
			text = movedAway(text)
		}
		if c.Op == html.Equal {
			b.WriteString(middleOut(text, i > 0, i < len(changes)-1))
			continue
		}
		marks := [2]string{"{+", "+}"}
		switch {
		case c.Op == html.Delete && e.Terminal.Color:
			marks = [2]string{"\x1b[31;9m", "\x1b[0m"}
		case c.Op == html.Delete:
			marks = [2]string{"[-", "-]"}
		case e.Terminal.Color:
			marks = [2]string{"\x1b[32m", "\x1b[0m"}
		}
		before, words, behind := margins(text)
		b.WriteString(before + marks[0] + words + marks[1] + behind)
	}
	return b.String()
}

// margins parts the line breaks around a text from it, which no mark needs to hold; a text
// of nothing else is kept whole.
func margins(s string) (before, text, behind string) {
	if text = strings.Trim(s, "\n"); text == "" {
		return "", s, ""
	}
	before, behind, _ = strings.Cut(s, text)
	return before, text, behind
}

// leastMoved is how many bytes a piece has that is said to have moved: fewer stand in
// many places.
const leastMoved = 60

// movedText finds the pieces that were taken out in one place and put in in another.
func movedText(changes []html.Change) map[string]bool {
	put := map[string]bool{}
	for _, c := range changes {
		if text := strings.TrimSpace(c.Text); c.Op == html.Insert && len(text) >= leastMoved {
			put[text] = true
		}
	}
	moved := map[string]bool{}
	for _, c := range changes {
		if text := strings.TrimSpace(c.Text); c.Op == html.Delete && put[text] {
			moved[text] = true
		}
	}
	return moved
}

// movedAway stands for a piece where it was: it is to be read where it is now.
func movedAway(s string) string {
	before, text, behind := margins(s)
	return before + toWord(text[:min(len(text), leastMoved)]) + " … (moved)" + behind
}

// middleOut shortens equal text to what stands beside a change, in whole words.
func middleOut(s string, before, after bool) string {
	head, tail := "", ""
	switch {
	case before && after:
		if len(s) <= 2*keepAround {
			return s
		}
		head, tail = s[:keepAround], s[len(s)-keepAround:]
	case len(s) <= keepAround:
		return s
	case before:
		head = s[:keepAround]
	default:
		tail = s[len(s)-keepAround:]
	}
	if i := strings.IndexAny(tail, " \n"); i >= 0 {
		tail = tail[i+1:]
	}
	return toWord(head) + " … " + strings.ToValidUTF8(tail, "")
}

// toWord is s up to its last whole word, if it has more than one.
func toWord(s string) string {
	if i := strings.LastIndexAny(s, " \n"); i > 0 {
		s = s[:i]
	}
	return strings.ToValidUTF8(s, "")
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
