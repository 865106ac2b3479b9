package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

func (p *program) topicsExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID|FILE|-",
		Short: "Say why an item or a text has the topics it has, and why not",
		Long: `Shows for each topic of which anything was found: the verdict with what is
lacking, the score, and each term with its points, field, place and context.

A file is told by its content: a saved feed or one entry of it (each entry is
explained), an item as "show --format json" and "export" write it, an HTML page,
or plain text, whose first line is the title if the second is empty. What can be
the beginning of an item's id (6 letters or more) is one where no file is called so.`,
		Args: exactly("ID or FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run := p.alone(func(ctx context.Context, e *Env, args []string) error { return e.explainFile(ctx, args[0]) })
			if p.inside != nil || namesItem(args[0]) {
				run = p.archive(reads, func(ctx context.Context, e *Env, args []string) error { return e.explainItem(ctx, args[0]) })
			}
			return run(cmd, args)
		},
	}
}

// namesItem reports whether an argument is an item's id, or the beginning of one
// that no file is called.
func namesItem(arg string) bool {
	if _, err := feed.ParseItemID(arg); err == nil {
		return true
	}
	if !likeItemID(arg) || arg[0] != '0' { // as all do that were given before the year 2248
		return false
	}
	_, err := os.Stat(arg)
	return errors.Is(err, fs.ErrNotExist)
}

func (e *Env) explainItem(ctx context.Context, name string) error {
	id, err := e.itemID(ctx, name)
	if err != nil {
		return err
	}
	it, err := e.revision(ctx, id, 0)
	if err != nil {
		return err
	}
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	title := "" // as when an item comes in
	for _, s := range sources {
		if s.ID == it.Source {
			title = s.Title
		}
	}
	return e.explainDocs([]*query.Doc{query.NewDoc(it, title)})
}

func (e *Env) explainFile(_ context.Context, name string) error {
	docs, err := e.textDocs(name)
	if err != nil {
		return err
	}
	return e.explainDocs(docs)
}

// explainDocs prints why each document has its topics, under its title where
// there are several.
func (e *Env) explainDocs(docs []*query.Doc) error {
	set, err := e.topicSet()
	if err != nil {
		return err
	}
	found := false
	for i, doc := range docs {
		list := set.Explain(doc)
		found = found || len(list) > 0
		if len(docs) > 1 {
			title := cmp.Or(oneLine(doc.Field(query.Title), 100), "(no title)")
			if len(list) == 0 {
				title += ": nothing found"
			}
			if err := e.printf("%d. %s\n", i+1, title); err != nil {
				return err
			}
		}
		for _, x := range list {
			if err := e.printf("%s", x.Format(e.mark())); err != nil {
				return err
			}
		}
	}
	if !found {
		e.note("no term of any topic was found")
	}
	return nil
}

func (p *program) topicsTestCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test FILE.jsonl",
		Short: "Measure the rules against labeled texts: precision, recall, F1",
		Long: `Each line of the file is {"title":"…","text":"…","labels":{"iran":0|1|2,…}}:
0 is not about it, 1 a substantive mention, 2 the subject. A topic is expected
from 1 on, and not scored where it has no label.`,
		Args: exactly("FILE.jsonl"),
		RunE: p.alone(func(_ context.Context, e *Env, args []string) error {
			return e.testTopics(args[0], asJSON)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return c
}

func (e *Env) testTopics(name string, asJSON bool) error {
	set, err := e.topicSet()
	if err != nil {
		return err
	}
	f, err := e.Files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	m := topic.NewMeasure(set)
	r := &fileReader{r: f}
	if err := topic.ReadLabeled(r, m.Add); err != nil {
		if r.err != nil {
			return r.err
		}
		return dataError("%s: %w", name, err)
	}
	report := m.Report()
	if asJSON {
		return json.NewEncoder(e.Out).Encode(report)
	}
	for _, miss := range report.Misses {
		e.note("%s:%d: %s is %d, labeled %d (score %.2f): %s", name, miss.Line, miss.Topic, miss.Got, miss.Grade, miss.Score, oneLine(miss.Title, 60))
	}
	for _, id := range report.Unknown {
		e.note("%s: no topic %q in the configuration; its labels are not scored", name, id)
	}
	rows := [][]string{{"TOPIC", "RIGHT", "WRONG", "MISSED", "PRECISION", "RECALL", "F1", "F1 ABOUT"}}
	for _, id := range slices.Sorted(maps.Keys(report.Topics)) {
		t := report.Topics[id]
		rows = append(rows, []string{
			string(id), itoa(t.TP), itoa(t.FP), itoa(t.FN),
			fmt.Sprintf("%.3f", t.Precision), fmt.Sprintf("%.3f", t.Recall), fmt.Sprintf("%.3f", t.F1), fmt.Sprintf("%.3f", t.About.F1),
		})
	}
	if err := e.table(rows); err != nil {
		return err
	}
	return e.printf("%s\n", plural(report.Examples, "text"))
}
