package discover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"chancery/store"
)

// Page is what came from an address.
type Page struct {
	URL    string   // after redirects
	Hops   []string // addresses on the way, the first one included
	Header http.Header
	Body   []byte
}

// Info is what a feed says of itself.
type Info struct {
	Title string
	Self  string // where it says that it lives; may be empty
	Site  string // the page it belongs to; may be empty
}

// Options is how Find works.
type Options struct {
	// Get asks one address; the page may be a feed. Required.
	Get func(ctx context.Context, address string) (Page, error)
	// Read tells a feed from anything else: the error says why it is none, and is
	// ErrPage for a web page. Required.
	Read func(p Page) (Info, error)
	// Guess permits asking for well-known addresses when a page declares none
	// (CONFORMANCE F-137).
	Guess bool
	// Product is our name in robots.txt.
	Product string
	// Sources are the subscriptions there are.
	Sources []store.Source
}

// Result is what can be proposed to a person.
type Result struct {
	// Feed is the best candidate, which was read; zero if none was found.
	Feed Candidate
	Info Info
	// Others are the candidates that were not chosen, best first; they were not asked for.
	Others []Candidate
	// Existing is the subscription that seems to be this feed already, if HasExisting.
	Existing    store.Source
	HasExisting bool
	// Said is what was done, a sentence each.
	Said []string
}

// ErrNone: there is no feed, and none is declared.
var ErrNone = errors.New("no feed found")

// ErrPage is what Options.Read says of a web page.
var ErrPage = errors.New("a web page")

// maxTried is how many declared candidates are asked for until one is a feed.
const maxTried = 3

// Find goes from what a person typed to a feed. It asks for that address, for the
// best candidates that the page declares until one is a feed, and only if told so
// for guessed ones, as far as robots.txt permits.
func Find(ctx context.Context, input string, o Options) (Result, error) {
	var r Result
	address, err := Normalize(input)
	if err != nil {
		return r, err
	}
	say := func(format string, args ...any) { r.Said = append(r.Said, fmt.Sprintf(format, args...)) }
	page, err := o.Get(ctx, address)
	if err != nil {
		return r, err
	}
	if page.URL != address {
		say("%s leads to %s", address, page.URL)
	}
	info, notFeed := o.Read(page)
	if notFeed == nil {
		say("%s is a feed", page.URL)
		r.Feed, r.Info = Candidate{URL: address, Title: info.Title, From: "itself"}, info
		r.exists(o.Sources, append(page.Hops, address, page.URL, info.Self)...)
		return r, nil
	}
	candidates := Candidates(page.Body, page.URL, page.Header)
	switch {
	case len(candidates) == 0 && !errors.Is(notFeed, ErrPage): // a picture, a feed that is cut off
		return r, fmt.Errorf("%s: %w", page.URL, notFeed)
	case len(candidates) == 0:
		say("%s is a page that declares no feed", page.URL)
	case len(candidates) == 1:
		say("%s is a page that declares a feed", page.URL)
	default:
		say("%s is a page that declares %d feeds", page.URL, len(candidates))
	}
	for i, c := range candidates {
		if i == maxTried {
			break
		}
		got, err := o.Get(ctx, c.URL)
		if err != nil {
			say("%s: %v", c.URL, err)
			if ctx.Err() != nil {
				return r, context.Cause(ctx)
			}
			continue
		}
		info, err := o.Read(got)
		if err != nil {
			say("%s is declared as a feed and is none", c.URL)
			continue
		}
		r.Feed, r.Info = c, info
		r.Others = append(append(r.Others, candidates[:i]...), candidates[i+1:]...)
		r.exists(o.Sources, append(got.Hops, c.URL, got.URL, info.Self)...)
		return r, nil
	}
	r.Others = candidates
	if len(candidates) == 0 && o.Guess {
		if err := r.guess(ctx, page.URL, o, say); err != nil || r.Feed.URL != "" {
			return r, err
		}
	}
	return r, fmt.Errorf("%s: %w", page.URL, ErrNone)
}

// exists looks for a subscription under any of these addresses.
func (r *Result) exists(sources []store.Source, addresses ...string) {
	r.Existing, r.HasExisting = Existing(sources, addresses...)
}

// WellKnown lists the addresses that are tried on a site that declares no feed.
func WellKnown(page string) []string {
	u, err := url.Parse(page)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range []string{"feed", "feed.xml", "atom.xml", "rss.xml", "index.xml", "feed.json"} {
		out = append(out, u.ResolveReference(&url.URL{Path: "/" + name}).String())
	}
	return out
}

// guess tries the well-known addresses that robots.txt permits (F-92, F-137).
func (r *Result) guess(ctx context.Context, page string, o Options, say func(string, ...any)) error {
	addresses := WellKnown(page)
	if len(addresses) == 0 {
		return nil
	}
	first, err := url.Parse(addresses[0])
	if err != nil {
		return err
	}
	var robots Robots
	if got, err := o.Get(ctx, first.ResolveReference(&url.URL{Path: "/robots.txt"}).String()); err == nil {
		robots = ParseRobots(got.Body, o.Product)
	}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			return err
		}
		if !robots.Allowed(u.EscapedPath()) {
			say("%s: not asked for, robots.txt forbids it", a)
			continue
		}
		got, err := o.Get(ctx, a)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			say("%s: %v", a, err)
			continue
		}
		if info, err := o.Read(got); err == nil {
			say("%s is a feed", a)
			r.Feed, r.Info = Candidate{URL: a, Title: info.Title, From: "guess"}, info
			r.exists(o.Sources, append(got.Hops, a, got.URL, info.Self)...)
			return nil
		}
		say("%s is no feed", a)
	}
	return nil
}
