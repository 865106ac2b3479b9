package schedule

import (
	"encoding/binary"
	"math"
	"time"

	"chancery/feed"
)

// memory is what the rules remember of a source besides store.PollState. It is
// kept in PollState.Schedule as a few dozen bytes, because it is read and written
// with every 304: as JSON it cost half as much as the request itself. What cannot
// be read is an empty memory, which costs some polls at the usual pace and nothing
// else. Times are kept to the millisecond.
type memory struct {
	Rate   rate
	Newest time.Time // newest post, by date or by sighting

	// Since304 is the first of the answers 304 since the last 200; Usual is the
	// posting rate then; Forced the last unconditional poll of F-13.
	Since304 time.Time
	Usual    float64
	Forced   time.Time
	// Same is how many times in a row a conditional request brought the same body.
	Same int
	// Unparsed says why the last body was no feed; Parser was the version then.
	Unparsed string
	Parser   int

	Refused int       // 429 and 403 in a row
	Gone    time.Time // the first 410
	HostTo  time.Time // the bound set for the whole host
	Local   bool

	Gaps   int
	Gap    time.Time // the last
	Shrink int       // interval is halved that often

	Move     *observed
	MovedAt  time.Time
	NotAgain string // an address that was given up
	Hint     string // a move hinted at in the feed, noted once

	// Of the last document: it is what a 304 stands for.
	TTL       time.Duration
	Syndicate time.Duration
	Fresh     time.Duration // HTTP freshness, told once when it is unusual
	SkipHours []int
	SkipDays  []time.Weekday
	Expired   bool
}

// observed is a permanent redirect seen again and again.
type observed struct {
	To        string
	Count     int
	First     time.Time
	Confirmed bool // the target brought posts that we knew
	Told      bool // the operator was asked
}

// memoryVersion is the first byte of a stored memory.
const memoryVersion = 1

func recall(b []byte) memory {
	if len(b) == 0 || b[0] != memoryVersion {
		return memory{}
	}
	m := memory{}
	c := coder{in: b[1:]}
	m.code(&c)
	if c.bad {
		return memory{}
	}
	return m
}

func (m memory) bytes() []byte {
	c := coder{out: append(make([]byte, 0, 160), memoryVersion), write: true}
	m.code(&c)
	return c.out
}

// code reads or writes all fields. New ones go to the end, where an old memory
// has zeros.
func (m *memory) code(c *coder) {
	r := &m.Rate
	for _, f := range []*float64{&r.Posts, &r.Days, &r.FastP, &r.FastD, &r.Last, &r.Ref, &m.Usual} {
		c.float(f)
	}
	for _, t := range []*time.Time{&r.At, &r.RefAt, &m.Newest, &m.Since304, &m.Forced, &m.Gone, &m.HostTo, &m.Gap, &m.MovedAt} {
		c.time(t)
	}
	for _, n := range []*int{&m.Same, &m.Parser, &m.Refused, &m.Gaps, &m.Shrink} {
		c.int(n)
	}
	for _, s := range []*string{&m.Unparsed, &m.NotAgain, &m.Hint} {
		c.string(s)
	}
	for _, f := range []*bool{&m.Local, &m.Expired} {
		c.bool(f)
	}
	c.duration(&m.TTL)
	c.duration(&m.Syndicate)
	c.duration(&m.Fresh)
	n := len(m.SkipHours)
	if c.int(&n); !c.write {
		m.SkipHours = make([]int, min(max(n, 0), 24))
	}
	for i := range m.SkipHours {
		c.int(&m.SkipHours[i])
	}
	n = len(m.SkipDays)
	if c.int(&n); !c.write {
		m.SkipDays = make([]time.Weekday, min(max(n, 0), 7))
	}
	for i := range m.SkipDays {
		d := int(m.SkipDays[i])
		c.int(&d)
		m.SkipDays[i] = time.Weekday(d)
	}
	moving := m.Move != nil
	if c.bool(&moving); !moving {
		return
	}
	if !c.write {
		m.Move = &observed{}
	}
	c.string(&m.Move.To)
	c.int(&m.Move.Count)
	c.time(&m.Move.First)
	c.bool(&m.Move.Confirmed)
	c.bool(&m.Move.Told)
}

// coder reads fields from in, or writes them to out. What is missing at the end
// of in is zero.
type coder struct {
	in, out []byte
	write   bool
	bad     bool
}

func (c *coder) int(p *int) {
	if c.write {
		c.out = binary.AppendVarint(c.out, int64(*p))
		return
	}
	if len(c.in) == 0 {
		return
	}
	v, n := binary.Varint(c.in)
	if n <= 0 {
		c.bad, c.in = true, nil
		return
	}
	*p, c.in = int(v), c.in[n:]
}

func (c *coder) bool(p *bool) {
	n := 0
	if *p {
		n = 1
	}
	c.int(&n)
	*p = n != 0
}

func (c *coder) duration(p *time.Duration) {
	n := int(*p / time.Millisecond)
	c.int(&n)
	*p = time.Duration(n) * time.Millisecond
}

func (c *coder) time(p *time.Time) {
	n := 0
	if !p.IsZero() {
		n = int(p.UnixMilli())
	}
	if c.int(&n); !c.write && n != 0 {
		*p = time.UnixMilli(int64(n)).UTC()
	}
}

func (c *coder) float(p *float64) {
	if c.write {
		c.out = binary.LittleEndian.AppendUint32(c.out, math.Float32bits(float32(*p)))
		return
	}
	if len(c.in) < 4 {
		c.bad = c.bad || len(c.in) > 0
		c.in = nil
		return
	}
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(c.in)))
	if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
		c.bad = true
		return
	}
	*p, c.in = f, c.in[4:]
}

func (c *coder) string(p *string) {
	n := len(*p)
	c.int(&n)
	if c.write {
		c.out = append(c.out, *p...)
		return
	}
	if n < 0 || n > len(c.in) {
		c.bad, c.in = true, nil
		return
	}
	*p, c.in = string(c.in[:n]), c.in[n:]
}

func (m *memory) hints(h feed.Hints) {
	m.TTL = min(max(h.TTL, 0), day) // F-62
	m.Syndicate = syndication(h)
	m.SkipHours, m.SkipDays = h.SkipHours, h.SkipDays
	m.Expired = h.Expired
}
