package selfscore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/store"
)

// Days is how long the replay is (CONFORMANCE F-142).
const Days = 30

// subscription is a source with what is remembered of it.
type subscription struct {
	store.SourceState
	known map[string]bool // ids of the posts it brought
}

// Run polls all sites for 30 simulated days, by the real client and the real
// rule, without a network and without waiting. Sources are restarted from what is
// stored before every poll, and some are refreshed by hand each day.
func Run(ctx context.Context, fc fetch.Config, sc schedule.Config) (Table, error) {
	now := time.Date(2026, 3, 3, 9, 17, 0, 0, time.UTC)
	clock := now
	server := NewServer(func() time.Time { return clock })
	fc.HostDelay = 0 // the clock stands still during a poll
	if fc.Contact == "" {
		fc.Contact = "https://example.org/contact"
	}
	client, err := fetch.NewOver(fc, server)
	if err != nil {
		return nil, err
	}
	var subs []*subscription
	for i, u := range server.Feeds() {
		s := &subscription{known: map[string]bool{}}
		s.ID, s.URL = feed.SourceID(fmt.Sprintf("site-%d", i)), u
		s.State.NextDue = now.Add(time.Duration(i) * time.Second)
		subs = append(subs, s)
	}
	var hosts schedule.Hosts
	byHand := map[string]time.Time{}
	for _, u := range server.ByHand() {
		byHand[u] = now.Add(day)
	}
	end := now.Add(Days * day)
	for ctx.Err() == nil {
		next, at := (*subscription)(nil), end
		for _, s := range subs {
			due := s.State.NextDue
			if hand, ok := byHand[s.URL]; ok && hand.Before(due) {
				due = hand
			}
			for _, bound := range []time.Time{s.State.NotBefore, hosts.Until(fetch.HostKey(s.Address()), clock)} {
				if bound.After(due) {
					due = bound
				}
			}
			if !s.Disabled && due.Before(at) {
				next, at = s, due
			}
		}
		if next == nil {
			return server.Table(), nil
		}
		if at.After(clock) {
			clock = at
		}
		if hand, ok := byHand[next.URL]; ok && !hand.After(clock) {
			byHand[next.URL] = hand.Add(day)
		}
		if err := next.poll(ctx, client, sc, &hosts, clock); err != nil {
			return server.Table(), err
		}
	}
	return server.Table(), context.Cause(ctx)
}

var (
	guid      = regexp.MustCompile(`<guid[^>]*>([^<]+)</guid>`)
	published = regexp.MustCompile(`<pubDate>([^<]+)</pubDate>`)
	ttl       = regexp.MustCompile(`<ttl>(\d+)</ttl>`)
	hour      = regexp.MustCompile(`<hour>(\d+)</hour>`)
)

// poll is a poll of the pretend web, whose documents are all of one make.
func (s *subscription) poll(ctx context.Context, client *fetch.Client, sc schedule.Config, hosts *schedule.Hosts, now time.Time) error {
	st := s.State
	ask := schedule.Plan(st, 1, now)
	st = schedule.Asked(st, ask, now)
	old := fetch.Validators{URL: st.ValidatorURL, ETag: st.ETag, LastModified: st.LastModified}
	r := fetch.Request{URL: s.Address(), Origin: s.URL, BodyHash: st.BodyHash}
	if !ask.Unconditional {
		r.Validators = old
	}
	resp, err := client.Get(ctx, r)
	defer resp.Release()
	if resp == nil {
		return err
	}
	o := schedule.Outcome{Status: resp.Status, NotModified: resp.NotModified, Conditional: resp.Conditional, Same: resp.Same, URL: resp.URL}
	v := resp.Next(old)
	o.ValidatorURL, o.ETag, o.LastModified = v.URL, v.ETag, v.LastModified
	o.Permanent, o.Trusted = resp.Permanent()
	if !resp.Digest.IsZero() {
		o.BodyHash = resp.Digest.String()
	}
	o.Fresh = fetch.FreshnessOf(resp.Header, now).For
	o.RetryAfter, o.HasRetry = fetch.RetryAfter(resp.Header, now)
	key := fetch.HostKey(s.Address())
	o.HostRefused = hosts.Refused(key)
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		o.Class, o.Error, o.Wall = string(e.Class), e.Error(), e.Wall
	} else if len(resp.Body) > 0 && !resp.Same {
		if err := s.read(resp.Body, &o); err != nil {
			return err
		}
	}
	d := schedule.Finish(sc, s.Source, st, o, now)
	hosts.Observe(key, s.ID, o, d, now)
	s.State = d.State
	s.Source, _ = d.Apply(s.Source)
	return nil
}

func (s *subscription) read(body []byte, o *schedule.Outcome) error {
	o.Parsed = true
	for _, m := range guid.FindAllSubmatch(body, -1) {
		o.Entries++
		if id := string(m[1]); s.known[id] {
			o.Known++
		} else {
			s.known[id] = true
			o.New++
		}
	}
	for _, m := range published.FindAllSubmatch(body, -1) {
		at, err := time.Parse(time.RFC1123Z, string(m[1]))
		if err != nil {
			return err
		}
		o.Published = append(o.Published, at)
	}
	number := func(b []byte) (n int) {
		for _, c := range b {
			n = n*10 + int(c-'0')
		}
		return n
	}
	if m := ttl.FindSubmatch(body); m != nil {
		o.Hints.TTL = time.Duration(number(m[1])) * time.Minute
	}
	for _, m := range hour.FindAllSubmatch(body, -1) {
		o.Hints.SkipHours = append(o.Hints.SkipHours, number(m[1]))
	}
	return nil
}
