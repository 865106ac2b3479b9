package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/feed"
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
			if !feed.ValidID(args[0]) {
				return usageError("NAME %q is not letters a to z, digits and -, at most 64, the first no -", args[0])
			}
			if err := e.areFeeds(ctx, feeds); err != nil {
				return err
			}
			token, err := publish.AddToken(ctx, e.Archive, args[0], feeds, time.Now())
			if errors.Is(err, store.ErrConflict) {
				return failWith(exitExists, fmt.Errorf("there is a token %s already; \"chancery tokens revoke %s\" ends it", args[0], args[0]))
			}
			if err != nil {
				return err
			}
			if e.Config.Server.Access != "token" {
				e.note(`everybody can read as long as [server] access is "public"`)
			}
			first := "all"
			if len(feeds) > 0 {
				first = feeds[0]
			}
			e.note("in feed readers: %s/t/%s/feeds/%s.atom", e.baseURL(), token, first)
			return e.printf("%s\n", token)
		}),
	}
	add.Flags().StringSliceVar(&feeds, "feeds", nil, "only these `FEEDS`: topics, [[feed]] tables, all, source/ID (default: everything)")
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the tokens: names, what they open, how often they were used",
		Args:  exactly(),
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
				return dataError("no token %q; \"chancery tokens list\" names them", args[0])
			}
			if err != nil {
				return err
			}
			return e.printf("%s revoked\n", args[0])
		}),
	}
	return group("tokens", "Tokens that let readers into private feeds", add, list, revoke)
}

// areFeeds checks that there are feeds of these names.
func (e *Env) areFeeds(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	known := []string{"all"}
	for _, t := range e.Config.Topics {
		known = append(known, string(t.ID))
	}
	for _, f := range e.Config.Feeds {
		known = append(known, f.ID)
	}
	for _, s := range e.Config.Sources {
		known = append(known, "source/"+s.ID)
	}
	have, err := e.Archive.Sources(ctx)
	if err != nil {
		return err
	}
	for _, s := range have {
		known = append(known, "source/"+string(s.ID))
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			text := fmt.Sprintf("--feeds: no feed %q", name)
			if near := nearest(name, known); near != "" {
				text += fmt.Sprintf(" (did you mean %s?)", near)
			}
			return dataError("%s", text)
		}
	}
	return nil
}
