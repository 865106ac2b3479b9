package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"chancery/aggregator"
)

func (p *program) reparseCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "reparse",
		Short: "Read all kept documents again with today's parser",
		Long: `Reads every document that the archive kept again, with the parser and the topics
of today. What reads differently becomes a further version of its item, marked as
ours and not as an edit of the publisher's; entries that were not understood
before become items, also of documents that could not be read at all when they
came. A second run changes nothing.`,
		Args: exactly(),
		RunE: p.archive(changes, func(ctx context.Context, e *Env, _ []string) error {
			w, err := e.worksOf()
			if err != nil {
				return err
			}
			progress := e.progress("read", "records")
			sum, err := w.aggregator.Reparse(ctx, progress.show)
			progress.end()
			if err != nil && !errors.Is(err, aggregator.ErrBadData) { // its faults are in the summary
				return err
			}
			if err := e.printSummary(sum, asJSON, "read"); err != nil {
				return err
			}
			if err != nil {
				return quietly(exitData)
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "the summary as one JSON object")
	return c
}
