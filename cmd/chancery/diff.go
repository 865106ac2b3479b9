package main

import (
	"strings"

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
	for _, f := range versions.Compare(old, now) {
		if err := e.printf("%s:\n%s\n\n", f.Name, e.wordDiff(f.Changes)); err != nil {
			return err
		}
	}
	return nil
}

// keepAround is how many bytes of equal text stand on each side of a change.
const keepAround = 200

func (e *Env) wordDiff(changes []html.Change) string {
	var b strings.Builder
	for i, c := range changes {
		text := printableLines(c.Text)
		switch {
		case c.Op == html.Equal:
			b.WriteString(middleOut(text, i > 0, i < len(changes)-1))
		case c.Op == html.Delete && e.Terminal.Color:
			b.WriteString("\x1b[31;9m" + text + "\x1b[0m")
		case c.Op == html.Delete:
			b.WriteString("[-" + text + "-]")
		case e.Terminal.Color:
			b.WriteString("\x1b[32m" + text + "\x1b[0m")
		default:
			b.WriteString("{+" + text + "+}")
		}
	}
	return b.String()
}

// middleOut shortens equal text to what stands beside a change.
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
	return strings.ToValidUTF8(head, "") + " … " + strings.ToValidUTF8(tail, "")
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
