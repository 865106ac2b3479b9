package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/store"
)

// showDecisions prints what was decided about an item, oldest first. It looks through
// the log.
func (e *Env) showDecisions(ctx context.Context, id feed.ItemID) error {
	all, err := store.ReadDecisions(ctx, e.Archive)
	if err != nil {
		return err
	}
	made := all.Of(id)
	if len(made) == 0 {
		e.note("nothing was decided about %s", id)
		return nil
	}
	for i := range made {
		d := &made[i]
		text := decisionText(d, id) + ", " + cmp.Or(decidedBy[d.By], "by "+d.By)
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		if err := e.printf("%s  %s\n", timeText(d.At), oneLine(text, 0)); err != nil {
			return err
		}
	}
	return nil
}

// decidedBy says who decides.
var decidedBy = map[string]string{"command": "by hand", "rule": "by a rule", "import": "by an import", "": "by nobody named"}

// decisionText says in words what was decided about an item.
func decisionText(d *store.Edit, id feed.ItemID) string {
	var with []string
	for _, other := range d.Items {
		if other != id {
			with = append(with, other.String())
		}
	}
	others := strings.Join(with[:min(len(with), maxNamed)], ", ")
	if len(with) > maxNamed {
		others += fmt.Sprintf(" and %d more", len(with)-maxNamed)
	}
	switch d.Kind {
	case store.KindWithdrawn:
		if d.Undo {
			return "brought back"
		}
		return "withdrawn"
	case store.KindTakedown:
		return "taken down"
	case store.KindMerge:
		text := "one story with " + others
		if !d.First.IsZero() {
			text += ", original " + d.First.String()
		}
		return text
	case store.KindSplit:
		if others == "" {
			return "a story of its own"
		}
		return "a story of its own with " + others
	}
	var topics []string
	for _, t := range d.Topics {
		switch {
		case !t.Manual:
		case t.Score < 0:
			topics = append(topics, "not "+string(t.Topic))
		default:
			topics = append(topics, string(t.Topic))
		}
	}
	slices.Sort(topics)
	return "topics: " + strings.Join(topics, ", ")
}
