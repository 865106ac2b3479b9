package main

import (
	"cmp"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery/aggregator"
	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish"
	"chancery/store"
	"chancery/store/index"
)

//go:embed default.toml
var defaultDoc string

type duration = time.Duration

// Config is the whole configuration: the program's own tables and those of the
// rooms, each of which knows its defaults and checks itself.
type Config struct {
	DataDir string         `toml:"data_dir"` // empty: found by dataDir
	Server  serverConfig   `toml:"server"`
	Fetch   fetchTable     `toml:"fetch"`
	Dedup   emptyTable     `toml:"dedup"`
	Archive archiveConfig  `toml:"archive"`
	Search  index.Config   `toml:"search"`
	Publish publish.Config `toml:"publish"`
	Notify  notifyConfig   `toml:"notify"`
	Topics  []topic.Rule   `toml:"topic"`
	Sources []sourceEntry  `toml:"source"`
	Feeds   []publish.Feed `toml:"feed"`

	file   string       // it was read from, or builtinName
	places keyPositions // of everything in the file
	doc    string       // the file's text
}

// emptyTable is a table that has its name and no keys yet.
type emptyTable struct{}

// fetchTable is [fetch]: what a request may cost, and how often there is one.
type fetchTable struct {
	fetchConfig
	scheduleConfig
}

type (
	fetchConfig    = fetch.Config
	scheduleConfig = schedule.Config
)

// serverConfig is [server]: where the daemon listens and who it is to readers.
type serverConfig struct {
	Listen         string         `toml:"listen"`          // host:port, or unix:PATH
	BaseURL        string         `toml:"base_url"`        // as readers see it; empty: http://LISTEN
	MetricsListen  string         `toml:"metrics_listen"`  // host:port, unix:PATH; empty: none
	Control        string         `toml:"control"`         // path of the control socket; empty: found by controlPaths
	MetricsHosts   []string       `toml:"metrics_hosts"`   // names under which metrics may be asked for, beside addresses and localhost
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"` // peers that are proxies and stand for many clients
	ClientRate     float64        `toml:"client_rate"`     // requests a second of one client, on average; 0: no bound
	ClientBurst    int            `toml:"client_burst"`    // requests of one client at once
	Access         string         `toml:"access"`          // "public" or "token"
}

// archiveConfig is [archive]: how the archive's files are made, and what one
// source may bring.
type archiveConfig struct {
	VolumeSize      int64 `toml:"volume_size"`       // bytes from which on a volume is sealed
	ItemsPerDay     int   `toml:"items_per_day"`     // of one source, in 24 hours; 0: no bound
	RevisionsPerDay int   `toml:"revisions_per_day"` // of one item, likewise
	// KeepDocuments: for how long documents are kept as they were received.
	KeepDocuments keeping `toml:"keep_documents"`
}

// keeping is for how long something is kept, in days.
type keeping int

const (
	keepForever keeping = 0
	keepNone    keeping = -1
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keeping) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "forever":
		*k = keepForever
	case "none":
		*k = keepNone
	default:
		n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
		if err != nil || !strings.HasSuffix(s, "d") || n < 1 || n > 36500 {
			return fmt.Errorf("%q is not a time to keep things for", s) // wantOf says what is
		}
		*k = keeping(n)
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (k keeping) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k keeping) String() string {
	switch k {
	case keepForever:
		return "forever"
	case keepNone:
		return "none"
	}
	return fmt.Sprintf("%dd", int(k))
}

// before is the time before which nothing is kept; zero if all is.
func (k keeping) before(now time.Time) time.Time {
	switch k {
	case keepForever:
		return time.Time{}
	case keepNone:
		return now
	}
	return now.AddDate(0, 0, -int(k))
}

func (a archiveConfig) validate() error {
	var errs []error
	if a.VolumeSize < 1<<20 {
		errs = append(errs, fmt.Errorf("volume_size: %d is less than 1 MiB", a.VolumeSize))
	}
	if a.ItemsPerDay < 0 {
		errs = append(errs, fmt.Errorf("items_per_day: %d is negative", a.ItemsPerDay))
	}
	if a.RevisionsPerDay < 0 {
		errs = append(errs, fmt.Errorf("revisions_per_day: %d is negative", a.RevisionsPerDay))
	}
	return errors.Join(errs...)
}

// notifyConfig is [notify]: whom to tell when something needs a person.
type notifyConfig struct {
	Command []string `toml:"command"`
}

// sourceEntry is one [[source]].
type sourceEntry struct {
	ID         string            `toml:"id"`
	URL        string            `toml:"url"`
	Title      string            `toml:"title"`
	Site       string            `toml:"site"`
	Language   string            `toml:"language"`
	Interval   duration          `toml:"interval"`
	Topics     []string          `toml:"topics"`
	Headers    map[string]string `toml:"headers"`
	Credential string            `toml:"credential"`
	Content    string            `toml:"content"`
	Enabled    *bool             `toml:"enabled"`
	// AllowDowngrade and Certificate are exceptions for this source alone: see
	// store.Source.Downgrade and Certificate.
	AllowDowngrade bool   `toml:"allow_downgrade"`
	Certificate    string `toml:"certificate"`
}

func (s sourceEntry) source() store.Source {
	topics := make([]feed.TopicID, len(s.Topics))
	for i, t := range s.Topics {
		topics[i] = feed.TopicID(t)
	}
	return store.Source{
		ID: feed.SourceID(s.ID), URL: s.URL, Title: s.Title, Site: s.Site, Language: s.Language,
		Origin: "config", Disabled: s.Enabled != nil && !*s.Enabled, Interval: s.Interval,
		Topics: topics, Headers: s.Headers, Credential: s.Credential, Content: s.Content,
		Downgrade: s.AllowDowngrade, Certificate: strings.ToLower(strings.ReplaceAll(s.Certificate, ":", "")),
	}
}

// sources are the configured subscriptions as the archive records them.
func (c *Config) sources() []store.Source {
	list := make([]store.Source, len(c.Sources))
	for i, s := range c.Sources {
		list[i] = s.source()
	}
	return list
}

func defaultConfig() *Config {
	return &Config{
		Server: serverConfig{
			Listen: "127.0.0.1:8080", MetricsListen: "127.0.0.1:9469",
			MetricsHosts: []string{}, TrustedProxies: []netip.Prefix{}, ClientRate: 10, ClientBurst: 200, Access: "public",
		},
		Fetch: fetchTable{fetch.DefaultConfig(), schedule.DefaultConfig()},
		Archive: archiveConfig{
			VolumeSize:      1 << 30,
			ItemsPerDay:     100_000, // no honest source comes near, backfills included
			RevisionsPerDay: 100,     // one in a quarter of an hour, all day
		},
		Search:  index.DefaultConfig(),
		Publish: publish.DefaultConfig(),
		Notify:  notifyConfig{Command: []string{}},
	}
}

// reserved ids would hide feeds of our own (CONTRACT.md part 2).
var reserved = map[string]string{"all": "the feed of everything", "source": "the feeds of sources"}

// check has every room check its table and looks at what no room can see alone.
// It reports each fault with the path of its key.
func (c *Config) check(fault func(path, text string)) {
	tables := []struct {
		path string
		err  error
	}{
		{"server", c.Server.validate()},
		{"fetch", c.Fetch.fetchConfig.Validate()},
		{"fetch", c.Fetch.scheduleConfig.Validate()},
		{"archive", c.Archive.validate()},
		{"search", c.Search.Validate()},
		{"publish", c.Publish.Validate()},
	}
	for _, t := range tables {
		for _, err := range leaves(t.err) {
			key, text, ok := strings.Cut(err.Error(), ": ")
			key = strings.TrimPrefix(key, t.path+".")
			if !ok || strings.ContainsAny(key, " /") {
				fault(t.path, err.Error())
				continue
			}
			fault(join(t.path, key), text)
		}
	}
	if c.DataDir != "" && !filepath.IsAbs(c.DataDir) {
		fault("data_dir", fmt.Sprintf("%q is not an absolute path", c.DataDir))
	}
	if len(c.Notify.Command) > 0 && c.Notify.Command[0] == "" {
		fault("notify.command", "the first text is empty: it names the program")
	}
	c.checkSources(fault)
	c.checkTopics(fault)
	c.checkFeeds(fault)
}

// checkTopics looks at ids and rules, and holds the rules to their examples.
func (c *Config) checkTopics(fault func(path, text string)) {
	seen := map[string]int{}
	for i, t := range c.Topics {
		at := fmt.Sprintf("topic[%d]", i)
		id := string(t.ID)
		what, isReserved := reserved[id]
		first, dup := seen[id]
		switch {
		case id == "":
			fault(at, "has no id")
		case !feed.ValidID(id):
			fault(at+".id", badID(id))
		case isReserved:
			fault(at+".id", fmt.Sprintf("%q is reserved for %s", id, what))
		case dup:
			fault(at+".id", fmt.Sprintf("%q is taken at %s", id, c.place(fmt.Sprintf("topic[%d]", first))))
		default:
			seen[id] = i
		}
		if strings.TrimSpace(t.Match) == "" {
			fault(at, "match is missing: the query that says which posts get the topic")
		}
	}
	c.checkRules(fault)
}

// checkFeeds looks at the published feeds: topics and feeds share one namespace.
func (c *Config) checkFeeds(fault func(path, text string)) {
	seen := map[string]string{}
	for i, t := range c.Topics {
		seen[string(t.ID)] = fmt.Sprintf("topic[%d]", i)
	}
	for i, f := range c.Feeds {
		at := fmt.Sprintf("feed[%d]", i)
		what, isReserved := reserved[f.ID]
		first, dup := seen[f.ID]
		switch {
		case f.ID == "":
			fault(at, "has no id")
			continue
		case !feed.ValidID(f.ID):
			fault(at+".id", badID(f.ID))
			continue
		case isReserved:
			fault(at+".id", fmt.Sprintf("%q is reserved for %s", f.ID, what))
			continue
		case dup:
			fault(at+".id", fmt.Sprintf("%q is taken at %s; topics and feeds share their names", f.ID, c.place(first)))
		}
		seen[f.ID] = at
		for _, err := range leaves(f.Validate()) {
			text := strings.TrimPrefix(err.Error(), fmt.Sprintf("feed %q: ", f.ID))
			key, rest, _ := strings.Cut(text, ": ")
			fault(at+"."+key, rest)
		}
		if f.Query == "" && len(f.Sources) == 0 && f.Events == "" {
			fault(at, "query is missing: which posts the feed carries")
		}
		if f.Query != "" {
			q, err := query.Parse(f.Query)
			if err != nil {
				path, text := at+".query", err.Error()
				if se, ok := errors.AsType[*query.SyntaxError](err); ok {
					path, text = c.queryFault(path, se)
				}
				fault(path, text)
				continue
			}
			for _, id := range q.Topics() {
				if !c.hasTopic(string(id)) {
					fault(at+".query", fmt.Sprintf("there is no topic %q", id))
				}
			}
		}
	}
}

func (c *Config) hasTopic(id string) bool {
	return slices.ContainsFunc(c.Topics, func(t topic.Rule) bool { return string(t.ID) == id })
}

func badID(id string) string {
	return fmt.Sprintf("%q is not an id: letters a to z, digits and -, at most 64, the first no -", id)
}

// definitions are what publish makes feeds of.
func (c *Config) definitions() publish.Definitions {
	d := publish.Definitions{Feeds: c.Feeds}
	for _, t := range c.Topics {
		d.Topics = append(d.Topics, publish.Topic{
			ID: t.ID, Name: t.Name, Rule: t.Match,
			Threshold: cmp.Or(t.Threshold, topic.DefaultThreshold), About: cmp.Or(t.AboutThreshold, topic.DefaultAboutThreshold),
		})
	}
	return d
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range j.Unwrap() {
			all = append(all, leaves(e)...)
		}
		return all
	}
	return []error{err}
}

func (s serverConfig) validate() error {
	var errs []error
	if err := checkListen(s.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen: %w", err))
	}
	if s.MetricsListen != "" {
		if err := checkListen(s.MetricsListen); err != nil {
			errs = append(errs, fmt.Errorf("metrics_listen: %w", err))
		} else if s.MetricsListen == s.Listen && !strings.HasSuffix(s.Listen, ":0") {
			errs = append(errs, errors.New("metrics_listen: is the same as listen; metrics are not for the public side"))
		}
	}
	if s.BaseURL != "" {
		u, err := url.Parse(s.BaseURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			errs = append(errs, fmt.Errorf("base_url: %q is not an address such as https://feeds.example.org", s.BaseURL))
		}
	}
	if s.Control != "" && !filepath.IsAbs(s.Control) {
		errs = append(errs, fmt.Errorf("control: %q is not an absolute path", s.Control))
	}
	for _, name := range s.MetricsHosts {
		if name == "" || strings.ContainsAny(name, " :/") || name != strings.ToLower(name) {
			errs = append(errs, fmt.Errorf("metrics_hosts: %q is not a host name in small letters, without a port", name))
		}
	}
	if s.ClientRate < 0 || s.ClientRate > 1e6 {
		errs = append(errs, fmt.Errorf("client_rate: %v is not between 0 and 1000000", s.ClientRate))
	}
	if s.ClientBurst < 1 {
		errs = append(errs, fmt.Errorf("client_burst: %d is less than 1", s.ClientBurst))
	}
	if s.Access != "public" && s.Access != "token" {
		errs = append(errs, fmt.Errorf(`access: %q is neither "public" nor "token"`, s.Access))
	}
	return errors.Join(errs...)
}

func checkListen(addr string) error {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%q: the socket's path is not absolute", addr)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf(`%q is neither an address with a port such as "127.0.0.1:8080" nor "unix:/path"`, addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q: %q is not a port", addr, port)
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%q: %q is not an IP address", addr, host)
		}
	}
	return nil
}

func (c *Config) checkSources(fault func(path, text string)) {
	seen := map[string]int{}
	urls := map[string]int{}
	for i, s := range c.Sources {
		at := fmt.Sprintf("source[%d]", i)
		switch first, dup := seen[s.ID]; {
		case s.ID == "":
			fault(at, "has no id")
		case !feed.ValidID(s.ID):
			fault(at+".id", badID(s.ID))
		case dup:
			fault(at+".id", fmt.Sprintf("%q is taken at %s", s.ID, c.place(fmt.Sprintf("source[%d]", first))))
		default:
			seen[s.ID] = i
		}
		if text := badFeedURL(s.URL); text != "" {
			fault(at+".url", text)
		} else if first, dup := urls[s.URL]; dup {
			fault(at+".url", fmt.Sprintf("%s is polled already by source %q", s.URL, c.Sources[first].ID))
		} else {
			urls[s.URL] = i
		}
		if s.Interval < 0 {
			fault(at+".interval", fmt.Sprintf("%v is negative", s.Interval))
		}
		for _, id := range s.Topics {
			if !c.hasTopic(id) {
				fault(at+".topics", fmt.Sprintf("there is no topic %q", id))
			}
		}
		switch s.Content {
		case "", "full", "summary":
		default:
			fault(at+".content", fmt.Sprintf(`%q is neither "full" nor "summary"`, s.Content))
		}
		if text := badCredential(s.Credential); text != "" {
			fault(at+".credential", text)
		}
		if d, err := hex.DecodeString(strings.ReplaceAll(s.Certificate, ":", "")); err != nil || len(d) != 0 && len(d) != 32 {
			fault(at+".certificate", fmt.Sprintf("%q is no SHA-256 in hexadecimal (64 digits)", s.Certificate))
		}
		for name, value := range s.Headers {
			if strings.ContainsAny(name+value, "\r\n\x00") || name == "" || strings.ContainsAny(name, " :") {
				fault(at+".headers", fmt.Sprintf("%q is not a header", name))
			}
		}
	}
}

// badFeedURL says what is wrong with the address of a feed, or "".
func badFeedURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "is missing"
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return fmt.Sprintf("%q is not an http or https address", raw)
	case len(raw) > aggregator.MaxAddress || len(u.Hostname()) > 253:
		return fmt.Sprintf("%.60q is longer than an address may be (%d bytes, the host 253)", raw, aggregator.MaxAddress)
	case u.User != nil:
		return fmt.Sprintf("%q carries a password; use credential instead", u.Redacted())
	}
	return ""
}

// badCredential says why something is no name of a credential, or "". It is not
// repeated: where a name is wanted, a secret may have been given.
func badCredential(name string) string {
	if strings.ContainsAny(name, "/ \t\r\n\x00") || name == "." || name == ".." || len(name) > 255 {
		return "is no name of a credential: a file's, without spaces and /; the secret itself stands in that file"
	}
	return ""
}

// place is where a path stands, for texts.
func (c *Config) place(path string) string {
	if p, ok := c.places.find(path); ok {
		return fmt.Sprintf("%s:%d", c.file, p.line)
	}
	return path
}

// warnings are things that work but should not stay so.
func (c *Config) warnings() []string {
	var w []string
	if c.Fetch.Contact == "" {
		w = append(w, "fetch.contact is empty: publishers who see your polls cannot reach you; set it to a page or address about you")
	}
	if c.Fetch.MinInterval < publicInterval {
		w = append(w, tooOften("fetch.min_interval", c.Fetch.MinInterval, len(c.Fetch.AllowNetworks) > 0)...)
	}
	for i, s := range c.Sources {
		if s.Interval > 0 && s.Interval < publicInterval {
			w = append(w, tooOften(c.place(fmt.Sprintf("source[%d].interval", i))+": interval", s.Interval, len(c.Fetch.AllowNetworks) > 0)...)
		}
	}
	if strings.HasPrefix(c.Server.Listen, "unix:") && c.Server.BaseURL == "" {
		w = append(w, "server.listen is a Unix socket and server.base_url is empty: feeds will name http://localhost as their address; set it to what readers see")
	}
	return w
}

// publicInterval is what public addresses are polled at most every, whatever the
// configuration says (CONFORMANCE F-75).
const publicInterval = 10 * time.Minute

// tooOften warns of an interval that public addresses will not have. Where other
// networks are allowed it can be meant for them.
func tooOften(what string, interval time.Duration, allowed bool) []string {
	if allowed {
		return nil
	}
	return []string{fmt.Sprintf("%s is %v: public addresses are polled at most every %v; less holds only for addresses in fetch.allow_networks", what, interval, publicInterval)}
}

// tooOftenIf is tooOften of an interval that a command sets; 0 is none.
func tooOftenIf(what string, interval time.Duration, c *Config) []string {
	if interval <= 0 || interval >= publicInterval {
		return nil
	}
	return tooOften(what, interval, len(c.Fetch.AllowNetworks) > 0)
}

// dataDir is where the archive lives: the flag, else what systemd made for us,
// else the configuration, else the XDG directory (CONTRACT.md part 1). from says
// which it was.
func (c *Config) dataDir(flag string, getenv func(string) string) (dir, from string, err error) {
	state, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":")
	switch {
	case flag != "":
		dir, err = filepath.Abs(flag)
		return dir, "--data", err
	case state != "":
		return state, "$STATE_DIRECTORY", nil
	case c.DataDir != "":
		return c.DataDir, c.place("data_dir"), nil
	}
	if base := xdg("XDG_DATA_HOME", ".local/share", getenv); base != "" {
		return filepath.Join(base, "chancery"), "default", nil
	}
	return "", "", failWith(exitConfig, errors.New("no data directory: there is neither --data, data_dir in the configuration, nor a home directory"))
}

// controlPath is the control socket: the first of the places of CONTRACT.md
// part 1 that is set.
func (c *Config) controlPath(flag, dataDir string, getenv func(string) string) string {
	path, _ := c.controlFrom(flag, dataDir, getenv)
	return path
}

// controlFrom is controlPath, and which of the places it was.
func (c *Config) controlFrom(flag, dataDir string, getenv func(string) string) (path, from string) {
	runtime, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":")
	switch {
	case flag != "":
		return flag, "--socket"
	case getenv("CHANCERY_SOCKET") != "":
		return getenv("CHANCERY_SOCKET"), "$CHANCERY_SOCKET"
	case c.Server.Control != "":
		return c.Server.Control, c.place("server.control")
	case runtime != "":
		return filepath.Join(runtime, "control.sock"), "$RUNTIME_DIRECTORY"
	}
	return filepath.Join(dataDir, "control.sock"), "default, in the data directory"
}
