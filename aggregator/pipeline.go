package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/feed/parse"
	"chancery/store"
)

// poll is one poll, top to bottom: ask, read, decide when to ask again, and
// commit all of it at once. What goes wrong with the source is part of the
// result; an error means that the archive could not take it.
func (a *Aggregator) poll(ctx context.Context, l store.Lease) (Summary, error) {
	src, st := l.Source, l.State
	host := a.host(src)
	if until := a.hosts.Until(host, a.now()); !until.IsZero() {
		a.loop.Hold(host, until) // it may not know yet: after a restart
		return heldBack(src, host, until), a.archive.Release(context.WithoutCancel(ctx), l)
	}
	ask := schedule.Plan(st, parse.Version, a.now())
	var kept *feed.Feed
	if ask.Reread {
		var err error
		if kept, st, err = a.readKept(ctx, src, st); err != nil {
			return Summary{}, errors.Join(err, a.archive.Release(context.WithoutCancel(ctx), l))
		}
		ask = schedule.Plan(st, parse.Version, a.now())
	}
	st = schedule.Asked(st, ask, a.now())

	resp, err := a.fetch.Get(ctx, a.request(src, st, ask))
	defer resp.Release()
	out := outcome(resp, err, st)

	var in intake
	if err == nil && !resp.NotModified && !resp.Same {
		a.taking <- struct{}{}
		defer func() { <-a.taking }()
		doc := store.Document{
			Source: src.ID, URL: resp.URL, MediaType: resp.ContentType(), Status: resp.Status,
			ETag: resp.Header.Get("Etag"), Modified: resp.Header.Get("Last-Modified"), Received: resp.Received.UTC(), Body: resp.Body,
		}
		in, err = a.read(ctx, src, &st, doc)
		if fault, ok := errors.AsType[*unreadable](err); ok {
			out.Class, out.Error = "not-a-feed", fault.Error()
			in = keep(doc)
		} else if err != nil {
			return Summary{}, errors.Join(err, a.archive.Release(context.WithoutCancel(ctx), l))
		} else {
			in.tell(&out)
		}
	}
	if kept != nil && out.Class == "" && !out.Parsed { // the answer stands for the document that was kept
		known := intake{head: kept, entries: len(kept.Entries), known: len(kept.Entries), dates: datesOf(kept)}
		known.tell(&out)
	}
	if out.Class == "canceled" {
		return Summary{}, errors.Join(context.Cause(ctx), a.archive.Release(context.WithoutCancel(ctx), l))
	}

	out.HostRefused = a.hosts.Refused(host)
	decision := schedule.Finish(a.schedule(), src, st, out, a.now())
	if in.cut() {
		decision.Notes = append(decision.Notes, fmt.Sprintf("the document breaks off after %d entries; what was complete of it was taken", in.entries))
	}
	next, changed := learn(src, in.head, decision)
	if decision.Move != nil {
		moved, state := next, decision.State
		note, err := a.mergeInto(ctx, &moved, &state)
		next, decision.State = moved, state
		if err != nil {
			return Summary{}, errors.Join(err, a.archive.Release(context.WithoutCancel(ctx), l))
		}
		if note != "" {
			decision.Notes = append(decision.Notes, note)
		}
	}
	result := store.PollResult{State: decision.State, Seen: in.seen}
	if changed {
		learned := next
		result.Source = &learned
	}
	if in.batch.Document != nil {
		batch := in.batch
		result.Batch = &batch
	}
	// What was fetched is committed even if the round is being ended meanwhile.
	outcomes, err := a.archive.Finish(context.WithoutCancel(ctx), l, result)
	if err != nil {
		return Summary{}, err
	}
	if until := a.hosts.Observe(host, src.ID, out, decision, a.now()); !until.IsZero() {
		a.loop.Hold(host, until)
	}
	if out.Class == "" && decision.State.Class != "" { // F-09: "not modified", but what was not could not be read
		out.Class, out.Error = decision.State.Class, decision.State.LastError
	}
	sum := summarize(src, resp, out, in)
	sum.count(outcomes)
	a.tell(ctx, src, resp, out, sum, decision)
	a.count(resp, out, sum)
	return sum, nil
}

// count tells whoever counts polls what became of one.
func (a *Aggregator) count(resp *fetch.Response, out schedule.Outcome, sum Summary) {
	if a.polled == nil {
		return
	}
	p := Polled{Outcome: "fetched", Class: out.Class, Bytes: sum.Bytes, New: sum.New, Revised: sum.Revised, Copies: sum.Duplicate}
	if resp != nil {
		p.Took = resp.Took
	}
	switch {
	case out.Class != "":
		p.Outcome = "failed"
	case out.NotModified:
		p.Outcome = "not_modified"
	case out.Same:
		p.Outcome = "unchanged"
	}
	a.polled(p)
}

// heldBack is the summary of a poll that was not made because the source's host
// asked for rest (CONFORMANCE F-51, F-53): no poll by hand breaks that.
func heldBack(src store.Source, host string, until time.Time) Summary {
	return Summary{Sources: 1, Failed: 1, Errors: []Failure{{
		Source: src.ID, URL: src.Address(), Error: fmt.Sprintf("not polled: %s asked not to be until %s", host, until.UTC().Format(time.RFC3339)),
	}}}
}

// request makes the one GET of a poll out of what is remembered.
func (a *Aggregator) request(src store.Source, st store.PollState, ask schedule.Ask) fetch.Request {
	r := fetch.Request{
		URL: src.Address(), BodyHash: st.BodyHash, Headers: src.Headers, Origin: src.URL,
		AllowDowngrade: src.Downgrade, Pin: src.Certificate,
	}
	if !ask.Unconditional {
		r.Validators = fetch.Validators{URL: st.ValidatorURL, ETag: st.ETag, LastModified: st.LastModified}
	}
	if src.Credential != "" && a.credential != nil {
		r.Authorization = a.credential(src.Credential)
	}
	return r
}

// outcome states what fetch found as the facts that schedule goes by.
func outcome(resp *fetch.Response, err error, st store.PollState) schedule.Outcome {
	out := schedule.Outcome{ValidatorURL: st.ValidatorURL, ETag: st.ETag, LastModified: st.LastModified, Parser: parse.Version}
	var header http.Header
	if resp != nil {
		next := resp.Next(fetch.Validators{URL: st.ValidatorURL, ETag: st.ETag, LastModified: st.LastModified})
		out.ValidatorURL, out.ETag, out.LastModified = next.URL, next.ETag, next.LastModified
		out.Status, out.NotModified, out.Conditional = resp.Status, resp.NotModified, resp.Conditional
		out.Local, out.Same, out.URL = resp.Local, resp.Same, resp.URL
		if !resp.Digest.IsZero() {
			out.BodyHash = resp.Digest.String()
		}
		out.Permanent, out.Trusted = resp.Permanent()
		header = resp.Header
		received := resp.Received
		if received.IsZero() {
			received = time.Now()
		}
		out.Fresh = fetch.FreshnessOf(header, received).For
		out.RetryAfter, out.HasRetry = fetch.RetryAfter(header, received)
	}
	if err == nil {
		return out
	}
	out.Class, out.Error = string(fetch.Unexpected), err.Error()
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		out.Class, out.Error, out.Wall = string(e.Class), e.Error(), e.Wall
		if e.Status != 0 {
			out.Status = e.Status
		}
		if e.HasRetry {
			out.RetryAfter, out.HasRetry = e.RetryAfter, true
		}
	}
	return out
}

// learn is the source as the poll leaves it: an address learned, a title and page
// that it had not, and whether anything changed.
func learn(src store.Source, head *feed.Feed, d schedule.Decision) (store.Source, bool) {
	next, changed := d.Apply(src)
	if head == nil {
		return next, changed
	}
	if title := plainTitle(head.Title); next.Title == "" && title != "" {
		next.Title, changed = title, true
	}
	if next.Site == "" && head.URL != "" {
		next.Site, changed = head.URL, true
	}
	return next, changed
}

func summarize(src store.Source, resp *fetch.Response, out schedule.Outcome, in intake) Summary {
	sum := Summary{Sources: 1, Seen: in.entries}
	if resp != nil {
		sum.Bytes = resp.Wire
	}
	switch {
	case out.Class != "":
		sum.Failed = 1
		sum.Errors = []Failure{{Source: src.ID, URL: src.Address(), Error: out.Error}}
	case out.NotModified || out.Same:
		sum.NotModified = 1
	default:
		sum.Fetched = 1
	}
	return sum
}

// tell writes the poll's one line, and what an operator should hear.
func (a *Aggregator) tell(ctx context.Context, src store.Source, resp *fetch.Response, out schedule.Outcome, sum Summary, d schedule.Decision) {
	level := slog.LevelInfo
	switch {
	case out.Class != "":
		level = slog.LevelWarn
	case sum.NotModified == 1:
		level = slog.LevelDebug // an hourly "nothing new" of every source is no news
	}
	if a.log.Enabled(ctx, level) {
		attrs := []slog.Attr{
			slog.String("source", string(src.ID)), slog.Int("status", out.Status),
			slog.Int("new", sum.New), slog.Int("revised", sum.Revised), slog.Int("duplicate", sum.Duplicate),
			slog.String("next", d.State.Why),
		}
		if resp != nil {
			attrs = append(attrs, slog.Duration("took", resp.Took))
		}
		if out.Class != "" {
			attrs = append(attrs, slog.String("class", out.Class), slog.String("error", out.Error))
		}
		a.log.LogAttrs(ctx, level, "polled", attrs...)
	}
	for _, note := range d.Notes {
		a.log.LogAttrs(ctx, slog.LevelWarn, "note", slog.String("source", string(src.ID)), slog.String("note", note))
	}
}
