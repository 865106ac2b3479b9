package schedule

import (
	"errors"
	"fmt"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
	// hardFloor holds for public addresses whatever the file says (CONFORMANCE F-75).
	hardFloor = 10 * time.Minute
	// serverCap is how long a server may make us wait (F-23, F-53).
	serverCap = 30 * day
	// unusual is what a server asks for that an operator should know of (F-23).
	unusual = 7 * day
	// slow is the interval for servers that cannot tell us "not modified" (F-14).
	slow = 24 * time.Hour
)

// Config is floor, ceiling and pace of polling. It is part of the table [fetch].
type Config struct {
	MinInterval time.Duration `toml:"min_interval"` // floor; below 10 min only for allow_networks
	MaxInterval time.Duration `toml:"max_interval"` // ceiling
	// QuietInterval is the ceiling for sources silent for a year.
	QuietInterval time.Duration `toml:"quiet_interval"`
	// Pace is the interval of a source that posts once a day; the others follow by
	// the square root of their rates.
	Pace time.Duration `toml:"pace"`
	// Budget is how many requests an hour there shall be for all sources together;
	// 0 is no bound. It overrides Pace; see [PaceFor].
	Budget int `toml:"budget"`
}

// DefaultConfig is what config.toml shows.
func DefaultConfig() Config {
	return Config{
		MinInterval:   time.Hour, // what publishers' own counters call polite
		MaxInterval:   day,
		QuietInterval: week,
		Pace:          4 * time.Hour,
	}
}

// Validate reports every bad field, each with its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.MinInterval < 0 {
		bad("min_interval: %v is negative", c.MinInterval)
	}
	if c.MaxInterval <= 0 {
		bad("max_interval: %v is not positive", c.MaxInterval)
	} else if c.MaxInterval < c.MinInterval {
		bad("max_interval: %v is less than min_interval (%v)", c.MaxInterval, c.MinInterval)
	}
	if c.QuietInterval < 0 {
		bad("quiet_interval: %v is negative", c.QuietInterval)
	}
	if c.Pace <= 0 {
		bad("pace: %v is not positive", c.Pace)
	}
	if c.Budget < 0 {
		bad("budget: %d is negative", c.Budget)
	}
	return errors.Join(errs...)
}

// floor is the least time between two polls of a source.
func (c Config) floor(own time.Duration, local bool) time.Duration {
	if local {
		return max(c.MinInterval, own)
	}
	return max(c.MinInterval, own, hardFloor)
}
