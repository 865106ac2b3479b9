package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
)

func (p *program) topicsExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID|FILE|-",
		Short: "Say why an item or a text has the topics it has, and why not",
		Long: `Shows for each topic of which anything was found: the verdict, the score, and
each term with its points, field, place and context. A file is plain text; its
first line is the title if the second is empty.`,
		Args: exactly("ID or FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run := p.alone(func(ctx context.Context, e *Env, args []string) error { return e.explain(ctx, args[0]) })
			if _, err := feed.ParseItemID(args[0]); err == nil {
				run = p.archive(reads, func(ctx context.Context, e *Env, args []string) error { return e.explain(ctx, args[0]) })
			}
			return run(cmd, args)
		},
	}
}

// maxText bounds a text to explain.
const maxText = 16 << 20

func (e *Env) explain(ctx context.Context, name string) error {
	var doc *query.Doc
	if id, err := feed.ParseItemID(name); err == nil && e.Archive != nil {
		it, err := e.revision(ctx, id, 0)
		if err != nil {
			return err
		}
		titles, err := e.sourceTitles(ctx)
		if err != nil {
			return err
		}
		doc = query.NewDoc(it, titles[it.Source])
	} else if doc, err = e.textDoc(name); err != nil {
		return err
	}
	set, err := e.topicSet()
	if err != nil {
		return err
	}
	mark := func(s string) string { return "[" + s + "]" }
	if e.Terminal.Color {
		mark = func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	}
	list := set.Explain(doc)
	for _, x := range list {
		if err := e.printf("%s", x.Format(mark)); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		e.note("no term of any topic was found")
	}
	return nil
}

// textDoc reads a text file.
func (e *Env) textDoc(name string) (*query.Doc, error) {
	f, err := e.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return nil, err
	}
	switch {
	case len(b) > maxText:
		return nil, dataError("%s: larger than %s", name, bytesText(maxText))
	case !utf8.Valid(b):
		return nil, dataError("%s: is not UTF-8 text", name)
	}
	title, body := "", strings.ReplaceAll(string(b), "\r\n", "\n")
	if first, rest, ok := strings.Cut(body, "\n"); ok && strings.HasPrefix(rest, "\n") {
		title, body = first, rest
	}
	return query.NewTextDoc(title, body, ""), nil
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
	return e.printf("%d texts\n", report.Examples)
}
