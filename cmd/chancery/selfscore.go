package main

import (
	"context"

	"github.com/spf13/cobra"

	"chancery/aggregator/selfscore"
)

func (p *program) selfscoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "selfscore",
		Short: "Show how polite the poller is, as publishers count it",
		Long: `Replays thirty days of polling with the configuration's [fetch] against pretend
servers that record every request, on a simulated clock and without a network,
and prints what publishers' own counters would say: requests too close, without
validators, with made-up ones, with cookies, to other addresses, and so on. Good
is a zero in every bad column; anything else exits 1.`,
		Args: exactly(),
		RunE: p.alone(func(ctx context.Context, e *Env, _ []string) error {
			table, err := selfscore.Run(ctx, e.Config.Fetch.fetchConfig, e.Config.Fetch.scheduleConfig)
			if err != nil {
				return err
			}
			if err := table.Write(e.Out); err != nil {
				return err
			}
			if table.Bad() > 0 {
				return quietly(exitFailed)
			}
			return nil
		}),
	}
}
