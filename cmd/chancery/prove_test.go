package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"chancery/feed/feedtest"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// The program that docs/archive-format.md prints checks what prove prints: it finds
// every proof right, and each wrong when anything of it is changed.
func TestPrintedChecker(t *testing.T) {
	python := feedtest.Program(t, "python3")
	doc, err := os.ReadFile("../../docs/archive-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```python\n")
	program, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("the page prints no program")
	}
	if n := strings.Count(program, "\n"); n > 20 {
		t.Errorf("the program has %d lines, it should have twenty", n)
	}
	dir := t.TempDir()
	archive, err := bolt.Open(t.Context(), dir, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	storetest.Source(t, archive, "a")
	var drafts []store.Draft
	for i := range 6 {
		drafts = append(drafts, storetest.Draft(fmt.Sprint(i), fmt.Sprint("post ", i)))
	}
	out, err := archive.Append(t.Context(), store.Batch{Source: "a", Drafts: drafts})
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCheckpointer(t.Context(), archive, dir)
	if err != nil {
		t.Fatal(err)
	}
	run := func(p *store.SignedProof) error {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python, "-c", program)
		cmd.Stdin = bytes.NewReader(b)
		said, err := cmd.CombinedOutput()
		if err == nil && !strings.Contains(string(said), " holds") || bytes.Contains(said, []byte("Traceback")) {
			t.Errorf("the program says %s", said)
		}
		return err
	}
	for i, o := range out {
		p, err := c.prove(t.Context(), o.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(p); err != nil {
			t.Errorf("post %d: %v", i, err)
		}
	}
	for what, harm := range map[string]func(p *store.SignedProof){
		"content":             func(p *store.SignedProof) { p.Content = append(p.Content, '!') },
		"content and no salt": func(p *store.SignedProof) { p.Salt, p.Content = nil, []byte("forged") },
		"leaf":                func(p *store.SignedProof) { p.Leaf[len(p.Leaf)-1] ^= 1 },
		"index":               func(p *store.SignedProof) { p.Index++ },
		"path":                func(p *store.SignedProof) { p.Path = p.Path[1:] },
		"root":                func(p *store.SignedProof) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n", "\n1", 1) },
	} {
		p, err := c.prove(t.Context(), out[3].ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		harm(p)
		if err := run(p); err == nil {
			t.Errorf("a proof with another %s holds", what)
		}
	}
}
