package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/publish"
	"chancery/store"
)

func (p *program) tokensCommand() *cobra.Command {
	var feeds []string
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a token for a reader of private feeds; it is shown this once",
		Args:  exactly("NAME"),
		RunE: p.archive(writes, func(ctx context.Context, e *Env, args []string) error {
			token, err := publish.AddToken(ctx, e.Archive, args[0], feeds, time.Now())
			if errors.Is(err, store.ErrConflict) {
				return failWith(exitExists, err)
			}
			if err != nil {
				return err
			}
			if e.Config.Server.Access != "token" {
				e.note(`everybody can read as long as [server] access is "public"`)
			}
			e.note("in feed readers: %s/t/%s/feeds/all.atom", e.baseURL(), token)
			return e.printf("%s\n", token)
		}),
	}
	add.Flags().StringSliceVar(&feeds, "feeds", nil, "only these feeds (default: everything)")
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the tokens: names, what they open, how often they were used",
		Args:  cobra.NoArgs,
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
			tokens, err := publish.Tokens(ctx, e.Archive)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.Out)
				for _, t := range tokens {
					if err := enc.Encode(t); err != nil {
						return err
					}
				}
				return nil
			}
			rows := [][]string{{"NAME", "CREATED", "USES", "LAST USED", "FEEDS"}}
			for _, t := range tokens {
				opens, last := "everything", "-"
				if len(t.Feeds) > 0 {
					opens = strings.Join(t.Feeds, " ")
				}
				if t.LastUsed != "" {
					last = t.LastUsed
				}
				rows = append(rows, []string{t.Name, timeText(t.Created), strconv.FormatInt(t.Uses, 10), last, opens})
			}
			return e.table(rows)
		}),
	}
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	revoke := &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a token",
		Args:  exactly("NAME"),
		RunE: p.archive(changes, func(ctx context.Context, e *Env, args []string) error {
			err := publish.RevokeToken(ctx, e.Archive, args[0])
			if errors.Is(err, store.ErrNotFound) {
				return failWith(exitData, err)
			}
			if err != nil {
				return err
			}
			return e.printf("%s revoked\n", args[0])
		}),
	}
	return group("tokens", "Tokens that let readers into private feeds", add, list, revoke)
}
