package publish

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"chancery/feed"
)

// Config is what feeds carry and what serving them may cost.
type Config struct {
	// BaseURL is the address of the public side as readers see it, a path allowed,
	// without a slash at the end. It comes from [server].
	BaseURL string `toml:"-"`
	// Access is "public", or "token": then everything needs a token. It comes from
	// [server]; empty is public.
	Access string `toml:"-"`
	// Title names the service, in the list of feeds and as the author of feeds.
	Title string `toml:"title"`
	// Owner is who runs it, for the list of feeds; may be empty.
	Owner string `toml:"owner"`
	// Icon is the address of a picture for the service's feeds, square and at most 144
	// pixels wide; may be empty.
	Icon string `toml:"icon"`
	// Language of the titles and descriptions of feeds that do not name their own,
	// BCP 47.
	Language string `toml:"-"`
	// Content is what feeds carry: "full" or "summary". A source can say otherwise.
	Content string `toml:"content"`
	// Limit is how many entries a feed has at least, if there are as many.
	Limit int `toml:"limit"`
	// Window: entries that are at most this much older than the newest are in the
	// feed even beyond Limit, up to MaxBytes.
	Window time.Duration `toml:"window"`
	// MaxBytes bounds what Window adds to a feed, by the size of the bodies.
	MaxBytes int64 `toml:"max_bytes"`
	// LateAfter: an item that is older than this when it arrives does not appear on
	// top of feeds that exist already, only in their archive documents.
	LateAfter time.Duration `toml:"late_after"`
	// CacheBytes bounds the memory for rendered documents and prepared entries.
	CacheBytes int64 `toml:"cache_bytes"`
	// Expressions bounds how many boolean feeds are kept ready; others are made
	// again when they are asked for.
	Expressions int `toml:"expressions"`
	// Index allows search engines to list feeds and pages.
	Index bool `toml:"index"`
	// Hubs are outside WebSub hubs that are told when a feed changes, and that feeds
	// with a history then name in place of our own.
	Hubs []string `toml:"hubs"`
	// Renamed leads old names of feeds to new ones (308); Gone names feeds that
	// were removed for good (410).
	Renamed map[string]string `toml:"renamed"`
	Gone    []string          `toml:"gone"`
}

// DefaultConfig is what config.toml shows.
func DefaultConfig() Config {
	return Config{
		BaseURL:     "http://127.0.0.1:8080",
		Title:       "chancery",
		Language:    "en",
		Content:     "full",
		Limit:       50,                 // what most readers fetch and most publishers give
		Window:      7 * 24 * time.Hour, // a reader that comes once a week misses nothing
		MaxBytes:    250 << 10,          // the advice of JSON Feed 1.1
		LateAfter:   7 * 24 * time.Hour,
		CacheBytes:  96 << 20, // a thousand feeds of 50 posts, as gzip
		Expressions: 256,
	}
}

// Validate reports every bad field.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("base_url", "%q is not an http(s) address", c.BaseURL)
	} else if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		bad("base_url", "%q has more than scheme, host and path", c.BaseURL)
	}
	if c.Access != "" && c.Access != "public" && c.Access != accessToken {
		bad("access", `%q is neither "public" nor "token"`, c.Access)
	}
	if u, err := url.Parse(c.Icon); c.Icon != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("icon", "%q is not an http(s) address", c.Icon)
	}
	if c.Content != "full" && c.Content != "summary" {
		bad("content", `%q is neither "full" nor "summary"`, c.Content)
	}
	if c.Limit < 1 || c.Limit > maxLimit {
		bad("limit", "%d is not between 1 and %d", c.Limit, maxLimit)
	}
	if c.Window < 0 {
		bad("window", "%v is negative", c.Window)
	}
	if c.MaxBytes < 0 {
		bad("max_bytes", "%d is negative", c.MaxBytes)
	}
	if c.LateAfter <= 0 {
		bad("late_after", "%v is not positive", c.LateAfter)
	}
	if c.CacheBytes < 1<<20 {
		bad("cache_bytes", "%d is less than 1 MiB", c.CacheBytes)
	}
	if c.Expressions < 1 {
		bad("expressions", "%d is not positive", c.Expressions)
	}
	if len(c.Hubs) > maxHubs {
		bad("hubs", "%d are more than %d", len(c.Hubs), maxHubs)
	}
	for i, hub := range c.Hubs {
		if u, err := url.Parse(hub); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			bad("hubs", "%q is not an http(s) address", hub)
		}
		if slices.Contains(c.Hubs[:i], hub) {
			bad("hubs", "%q is given twice", hub)
		}
	}
	if len(c.Hubs) > 0 && c.Access == accessToken {
		bad("hubs", "feeds that need a token cannot be told to outside hubs")
	}
	for from, to := range c.Renamed {
		if !feed.ValidID(from) || !feed.ValidID(to) {
			bad("renamed", "%q = %q: not ids of feeds", from, to)
		}
	}
	for _, id := range c.Gone {
		if !feed.ValidID(id) {
			bad("gone", "%q is not the id of a feed", id)
		}
	}
	return errors.Join(errs...)
}

// maxLimit bounds the entries of a live feed: older ones are what archive
// documents are for.
const maxLimit = 500

// maxHubs bounds the outside hubs: each is told of every change.
const maxHubs = 8

// Topic is a topic as feeds show it.
type Topic struct {
	ID          feed.TopicID
	Name        string
	Description string
	// Rule is the query that tells which items are of the topic, and Threshold and
	// About the scores from which on they mention it and are about it: to show why an
	// item has the topic. It may be empty.
	Rule             string
	Threshold, About float64
}

// Feed is a published feed of its own name: a [[feed]] of the configuration.
type Feed struct {
	ID          string `toml:"id"`
	Title       string `toml:"title"`
	Description string `toml:"description"`
	// Query selects the items; empty is all of them.
	Query string `toml:"query"`
	// Formats are the formats it is served in: "atom", "rss", "json"; empty is all.
	Formats []string `toml:"formats"`
	// Content overrides that of [publish].
	Content string `toml:"content"`
	// Limit overrides that of [publish].
	Limit int `toml:"limit"`
	// Language of the title and description; it selects nothing (lang:fa in Query does).
	Language string `toml:"language"`
	// Sources restricts the feed to these; empty is all.
	Sources []feed.SourceID `toml:"sources"`
	// Events is what the feed tells of the items that it selects: "" that they were
	// published, "revised" that they were edited after publication, "withdrawn"
	// that they were withdrawn.
	Events string `toml:"events"`
}

// Validate reports every bad field. The query is checked by New.
func (f Feed) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("feed %q: "+format, append([]any{f.ID}, args...)...))
	}
	if !feed.ValidID(f.ID) {
		bad("id: must match [a-z0-9][a-z0-9-]*")
	}
	if f.ID == nameAll || f.ID == nameSource {
		bad("id: the name is reserved")
	}
	for _, s := range f.Formats {
		if s != "atom" && s != "rss" && s != "json" {
			bad(`formats: %q is none of "atom", "rss", "json"`, s)
		}
	}
	if f.Content != "" && f.Content != "full" && f.Content != "summary" {
		bad(`content: %q is neither "full" nor "summary"`, f.Content)
	}
	if f.Limit < 0 || f.Limit > maxLimit {
		bad("limit: %d is not between 0 and %d", f.Limit, maxLimit)
	}
	for _, s := range f.Sources {
		if !feed.ValidID(string(s)) {
			bad("sources: %q is not the id of a source", s)
		}
	}
	switch f.Events {
	case "", "revised", "withdrawn":
	default:
		bad(`events: %q is none of "", "revised", "withdrawn"`, f.Events)
	}
	return errors.Join(errs...)
}

// Definitions are the feeds to publish, beside those of every source and of all.
type Definitions struct {
	Topics []Topic
	Feeds  []Feed
}

// accessToken is the value of Access for private feeds.
const accessToken = "token"

// Reserved names.
const (
	nameAll    = "all"
	nameSource = "source"
)

// validate reports names that are not valid, reserved or given twice: topics and
// feeds share one namespace.
func (d Definitions) validate() error {
	var errs []error
	seen := map[string]string{}
	take := func(kind, id string) {
		if other, ok := seen[id]; ok {
			errs = append(errs, fmt.Errorf("%s %q: the name is taken by a %s", kind, id, other))
		}
		seen[id] = kind
	}
	for _, t := range d.Topics {
		id := string(t.ID)
		if !feed.ValidID(id) || id == nameAll || id == nameSource {
			errs = append(errs, fmt.Errorf("topic %q: not a name that a feed can have", id))
		}
		take("topic", id)
	}
	for _, f := range d.Feeds {
		errs = append(errs, f.Validate())
		take("feed", f.ID)
	}
	return errors.Join(errs...)
}

// base is BaseURL without a slash at the end.
func (c Config) base() string { return strings.TrimRight(c.BaseURL, "/") }
