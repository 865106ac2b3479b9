package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chancery/aggregator/discover"
	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/feed/html"
	"chancery/feed/parse"
	"chancery/store"
)

func (p *program) sourcesCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check URL|ID",
		Short: "Ask a feed once and show every decision that a poll would make",
		Long: `Asks as a poll would, with the validators of the source if it is one, and shows
the way there, what came, how long it is good for, what was read, and when the
source would be polled next and why. Nothing is stored. For a page it shows the
feeds that the page declares.`,
		Args: exactly("URL or ID"),
		RunE: p.archive(readsIfThere, func(ctx context.Context, e *Env, args []string) error {
			return e.checkSource(ctx, args[0])
		}),
	}
}

// checkSource makes one poll without storing it.
func (e *Env) checkSource(ctx context.Context, name string) error {
	w, err := e.worksOf()
	if err != nil {
		return err
	}
	src, known, err := e.sourceLike(ctx, name)
	if err != nil {
		return err
	}
	st := src.State
	if known {
		e.say("source", "%s, from %s", src.ID, src.Origin)
	}
	now := time.Now().UTC()
	if known && st.NotBefore.After(now) {
		e.saySchedule(src, known, now, false)
		return failWith(exitUnavailable, fmt.Errorf("%s asked not to be asked before %s; a check heeds that too", src.Address(), timeText(st.NotBefore)))
	}
	if e.Archive != nil {
		until, err := w.aggregator.HeldUntil(ctx, src.Source)
		if err != nil {
			return err
		}
		if !until.IsZero() {
			e.saySchedule(src, known, now, false)
			return failWith(exitUnavailable, fmt.Errorf("the host of %s asked not to be asked before %s, when another source there was; a check heeds that too", src.Address(), timeText(until)))
		}
	}
	ask := schedule.Plan(st, parse.Version, now)
	req := fetch.Request{
		URL: src.Address(), BodyHash: st.BodyHash, Headers: src.Headers, Origin: src.URL, Page: !known,
	}
	if src.Credential != "" {
		req.Authorization = credential(src.Credential)
	}
	if !ask.Unconditional {
		req.Validators = fetch.Validators{URL: st.ValidatorURL, ETag: st.ETag, LastModified: st.LastModified}
	}
	e.say("request", "GET %s", src.Address())
	if !req.IsZero() {
		e.say("", "conditional: If-None-Match %s, If-Modified-Since %s", cmp.Or(req.ETag, "-"), cmp.Or(req.LastModified, "-"))
	}
	resp, err := w.fetch.Get(ctx, req)
	defer resp.Release()
	e.sayAnswer(resp)
	if err != nil {
		if fault, ok := errors.AsType[*fetch.Error](err); ok {
			e.say("failed", "%s (class %s)", fault.Text, fault.Class)
			if fault.Wall != "" {
				e.sayWall()
			}
		}
		e.saySchedule(src, known, now, false)
		return e.unreachable(ctx, err)
	}
	if resp.NotModified || resp.Same {
		if st.Class == "not-a-feed" { // F-09
			e.say("result", "the same document as before, which cannot be read: %s", st.LastError)
		} else {
			e.say("result", "nothing new since %s", timeText(st.Changed))
		}
		e.saySchedule(src, known, now, true)
		return nil
	}
	if wall := fetch.Wall(resp.Status, resp.Header, resp.Body); wall != "" && fetch.IsHTML(resp.Body) { // an address that is not subscribed may be a page
		e.say("failed", "a bot wall answered in place of the page (%s)", wall)
		e.sayWall()
		e.saySchedule(src, known, now, false)
		return failWith(exitUnavailable, fmt.Errorf("%s: a bot wall answered (%s)", resp.URL, wall))
	}
	err = e.sayDocument(resp)
	if err != nil {
		e.say("failed", "%v", err)
	}
	e.saySchedule(src, known, now, err == nil)
	return err
}

func (e *Env) sayWall() {
	e.say("", "it lets browsers through and not programs; only the publisher can let us in")
}

// sourceLike finds the source by id or address; else it makes one up for the address.
func (e *Env) sourceLike(ctx context.Context, name string) (store.SourceState, bool, error) {
	var have []store.SourceState
	if e.Archive != nil {
		var err error
		if have, err = e.Archive.Sources(ctx); err != nil {
			return store.SourceState{}, false, err
		}
	}
	for _, s := range have {
		if string(s.ID) == name && s.URL != "" || discover.Same(s.URL, name) || s.Moved != "" && discover.Same(s.Moved, name) {
			return s, true, nil
		}
	}
	for _, s := range e.Config.sources() {
		if string(s.ID) == name || discover.Same(s.URL, name) {
			return store.SourceState{Source: s}, true, nil
		}
	}
	address, err := discover.Normalize(name)
	if err != nil {
		return store.SourceState{}, false, failWith(exitData, err)
	}
	if !strings.ContainsAny(name, "./:") {
		return store.SourceState{}, false, dataError("%q is neither a source nor an address", name)
	}
	return store.SourceState{Source: store.Source{URL: address}}, false, nil
}

// say writes a fact with its name; an empty name goes on with the one before.
func (e *Env) say(name, format string, args ...any) {
	_ = e.printf("%-10s %s\n", name, printable(fmt.Sprintf(format, args...)))
}

func (e *Env) sayAnswer(resp *fetch.Response) {
	if resp == nil {
		return
	}
	for _, h := range resp.Hops {
		how := "new connection"
		if h.Reused {
			how = "kept connection"
		}
		text := fmt.Sprintf("%d from %s (%s, %s, %v)", h.Status, h.URL, cmp.Or(h.Proto, "no answer"), how, h.Took.Round(time.Millisecond))
		if h.Location != "" {
			kind := "for now"
			if h.Permanent {
				kind = "for good"
			}
			text += fmt.Sprintf(", redirects %s to %s", kind, h.Location)
		}
		e.say("answer", "%s", text)
	}
	if resp.Status == 0 {
		return
	}
	if !resp.NotModified && resp.Wire > 0 {
		e.say("body", "%s, %s sent, %s decoded%s", cmp.Or(resp.ContentType(), "no media type"), bytesText(resp.Wire), bytesText(int64(len(resp.Body))), withComma(resp.Coding))
	}
	for _, f := range resp.Flags {
		e.say("", "leniency: %s", f)
	}
	e.say("validators", "ETag %s, Last-Modified %s", cmp.Or(resp.Header.Get("Etag"), "none"), cmp.Or(resp.Header.Get("Last-Modified"), "none"))
	fresh := fetch.FreshnessOf(resp.Header, resp.Received)
	switch {
	case fresh.For > 0:
		e.say("fresh", "for %v (%s)", fresh.For.Round(time.Second), fresh.Why)
	default:
		e.say("fresh", "the server sets no bound%s", withComma(fresh.Why))
	}
	if wait, ok := fetch.RetryAfter(resp.Header, resp.Received); ok {
		e.say("wait", "the server asks for %v (Retry-After)", wait.Round(time.Second))
	}
}

func withComma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

// sayDocument reads what came.
func (e *Env) sayDocument(resp *fetch.Response) error {
	doc, err := parse.Open(resp.Body, parse.Options{ContentType: resp.ContentType(), URL: resp.URL})
	if err != nil {
		candidates := discover.Candidates(resp.Body, resp.URL, resp.Header)
		if len(candidates) == 0 {
			return dataError("%s: %w", resp.URL, err)
		}
		e.say("page", "not a feed; it declares %d:", len(candidates))
		for _, c := range candidates {
			e.say("", "%s  %s (%s)", c.URL, oneLine(c.Title, 60), c.Kind)
		}
		return nil
	}
	f, err := doc.Feed(nil)
	if err != nil {
		return dataError("%s: %w", resp.URL, err)
	}
	e.say("feed", "%s, %q, %d entries, charset %s", f.Format, oneLine(html.Plain(f.Title), 60), len(f.Entries), doc.Charset())
	if len(f.Repairs) > 0 {
		e.say("", "repaired: %s", strings.Join(f.Repairs, ", "))
	}
	if f.Self != "" && f.Self != resp.URL {
		e.say("", "says that it lives at %s", f.Self)
	}
	for _, h := range f.Hubs {
		e.say("", "hub: %s %s", h.Type, h.URL)
	}
	var newest time.Time
	for _, x := range f.Entries {
		newest = later(newest, later(x.Published.Time, x.Updated.Time))
	}
	if !newest.IsZero() {
		e.say("", "newest entry of %s", timeText(newest))
	}
	return nil
}

// saySchedule shows when the source is polled next, and what that is made of.
func (e *Env) saySchedule(src store.SourceState, known bool, now time.Time, good bool) {
	switch {
	case !known && good:
		e.say("next", `not subscribed: "chancery sources add %s"`, src.URL)
		return
	case !known:
		e.say("next", "not subscribed")
		return
	case src.State.Polled.IsZero():
		e.say("schedule", "never polled: due now")
		return
	}
	for i, l := range schedule.Explain(e.Config.Fetch.scheduleConfig, src.Source, src.State, now).Lines() {
		e.say(map[bool]string{true: "schedule"}[i == 0], "%s", l)
	}
}
