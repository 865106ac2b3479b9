package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Config bounds what requests may cost and where they may go. It is part of the
// table [fetch] of the configuration.
type Config struct {
	Concurrency int           `toml:"concurrency"` // requests at a time, over all hosts
	PerHost     int           `toml:"per_host"`    // requests at a time to one registrable domain
	HostDelay   time.Duration `toml:"host_delay"`  // between the starts of two requests to one registrable domain

	ConnectTimeout time.Duration `toml:"connect_timeout"` // name resolution and TCP
	TLSTimeout     time.Duration `toml:"tls_timeout"`     // the TLS handshake
	HeaderTimeout  time.Duration `toml:"header_timeout"`  // from the request sent to the response's header
	IdleTimeout    time.Duration `toml:"idle_timeout"`    // without a byte of the body
	Timeout        time.Duration `toml:"timeout"`         // the whole poll, redirects included

	MaxWireBytes   int64 `toml:"max_wire_bytes"`   // of a body as it is sent
	MaxBytes       int64 `toml:"max_bytes"`        // of a body after decoding
	MaxRatio       int64 `toml:"max_ratio"`        // decoded to sent, past the first MiB decoded
	MaxHeaderBytes int64 `toml:"max_header_bytes"` // of a response's header
	MaxRedirects   int   `toml:"max_redirects"`    // hops in one poll
	// MaxMemory bounds what the bodies of all requests in flight may take together.
	MaxMemory int64 `toml:"max_memory"`

	// AllowNetworks are addresses that may be polled although they are not public,
	// on any port, with floor and delay down to zero.
	AllowNetworks []netip.Prefix `toml:"allow_networks"`
	AllowPorts    []int          `toml:"allow_ports"` // for all others

	// Contact is a page or address about the operator, sent to publishers.
	Contact string `toml:"contact"`
	// Version of the program, for User-Agent. Set by cmd, not by the file.
	Version string `toml:"-"`
}

// hardDelay is the least host delay towards public addresses: below it a
// publisher's limiter takes us for an attack, whatever the file says.
const hardDelay = time.Second

// smallBody is what a body may take without asking for one of the few places for
// large ones; nearly all honest feeds are smaller.
const smallBody = 1 << 20

// DefaultConfig is what config.toml shows. The numbers are those of CONFORMANCE
// F-82, F-88 and F-96 to F-98.
func DefaultConfig() Config {
	return Config{
		Concurrency:    64,
		PerHost:        1,
		HostDelay:      2 * time.Second,
		ConnectTimeout: 10 * time.Second,
		TLSTimeout:     10 * time.Second,
		HeaderTimeout:  20 * time.Second, // slow static hosts answer within 20 s
		IdleTimeout:    20 * time.Second,
		Timeout:        60 * time.Second, // beyond that a worker is wasted
		MaxWireBytes:   10 << 20,         // the largest honest feeds are a few MiB
		MaxBytes:       32 << 20,
		MaxRatio:       200, // honest text stays under 30:1
		MaxHeaderBytes: 64 << 10,
		MaxRedirects:   10,
		MaxMemory:      256 << 20,
		AllowNetworks:  []netip.Prefix{},
		AllowPorts:     []int{80, 443},
	}
}

// Validate reports every bad field, each with its key.
func (c Config) Validate() error {
	var errs []error
	atLeast := func(key string, got, least int64) {
		if got < least {
			errs = append(errs, fmt.Errorf("%s: %d is less than %d", key, got, least))
		}
	}
	atLeast("concurrency", int64(c.Concurrency), 1)
	atLeast("per_host", int64(c.PerHost), 1)
	if c.HostDelay < 0 {
		errs = append(errs, fmt.Errorf("host_delay: %v is negative", c.HostDelay))
	}
	for _, t := range []struct {
		key string
		d   time.Duration
	}{
		{"connect_timeout", c.ConnectTimeout},
		{"tls_timeout", c.TLSTimeout},
		{"header_timeout", c.HeaderTimeout},
		{"idle_timeout", c.IdleTimeout},
		{"timeout", c.Timeout},
	} {
		switch {
		case t.d <= 0:
			errs = append(errs, fmt.Errorf("%s: %v is not positive", t.key, t.d))
		case t.d > c.Timeout && c.Timeout > 0:
			errs = append(errs, fmt.Errorf("%s: %v is more than timeout (%v), which bounds the whole poll", t.key, t.d, c.Timeout))
		}
	}
	atLeast("max_wire_bytes", c.MaxWireBytes, 1<<10)
	atLeast("max_bytes", c.MaxBytes, 1<<10)
	atLeast("max_ratio", c.MaxRatio, 2)
	atLeast("max_header_bytes", c.MaxHeaderBytes, 1<<10)
	if c.MaxRedirects < 0 {
		errs = append(errs, fmt.Errorf("max_redirects: %d is negative", c.MaxRedirects))
	}
	if need := c.bound(1); c.Concurrency >= 1 && c.MaxMemory < need {
		errs = append(errs, fmt.Errorf("max_memory: %d is less than %d: 1 MiB for each of concurrency, and twice max_bytes", c.MaxMemory, need))
	}
	for _, p := range c.AllowNetworks {
		if !p.IsValid() {
			errs = append(errs, errors.New("allow_networks: an entry is not a network"))
		} else if p.Bits() == 0 {
			errs = append(errs, fmt.Errorf("allow_networks: %v is the whole internet and would switch the guard off", p))
		}
	}
	if len(c.AllowPorts) == 0 {
		errs = append(errs, errors.New("allow_ports: empty, so that nothing could be polled"))
	}
	for _, p := range c.AllowPorts {
		if p < 1 || p > 65535 {
			errs = append(errs, fmt.Errorf("allow_ports: %d is not a port", p))
		}
	}
	for _, r := range c.Contact {
		if r < ' ' || r == 0x7f {
			errs = append(errs, errors.New("contact: has a control character"))
			break
		}
	}
	return errors.Join(errs...)
}

// bound is the memory that bodies take when n large ones are in flight: a body
// that grows is for a moment there twice.
func (c Config) bound(n int) int64 {
	return int64(c.Concurrency)*smallBody + int64(n)*2*c.MaxBytes
}

// largeBodies is how many bodies above smallBody may be in flight.
func (c Config) largeBodies() int {
	n := 1
	for n < c.Concurrency && c.bound(n+1) <= c.MaxMemory {
		n++
	}
	return n
}
