package bolt

import (
	"bytes"
	"encoding/json"
	"time"

	"chancery/store"
)

// stateMessage is the first byte of a poll state that is a message: a row of the
// bucket "state". One that begins with a brace is JSON, as it was written before.
const stateMessage = 1

// stateFields are the fields of a poll state (docs/archive-format.md). Writing changes
// nothing of it: others may be reading it.
func stateFields(c *coder, s *store.PollState) {
	c.str(1, &s.ValidatorURL)
	c.str(2, &s.ETag)
	c.str(3, &s.LastModified)
	c.str(4, &s.BodyHash)
	c.str(5, &s.PartsHash)
	c.strs(6, &s.Colliding)
	for i, t := range []*time.Time{&s.Polled, &s.Succeeded, &s.Changed, &s.NextDue, &s.NotBefore, &s.FirstFailure} {
		c.time(uint64(7+i), t)
	}
	c.str(13, &s.Why)
	c.str(14, &s.Condition)
	c.str(15, &s.Class)
	c.str(16, &s.LastError)
	for i, n := range []*int{&s.LastStatus, &s.Failures, &s.Entries} {
		c.number(uint64(17+i), n)
	}
	durationField(c, 20, &s.Interval)
	c.strs(21, &s.Repairs)
	c.gaps(23, &s.Gaps)
	if c.is(22) {
		s.Schedule = bytes.Clone(c.val)
	} else if !c.reading && len(s.Schedule) > 0 {
		c.out = putField(c.out, 22, s.Schedule)
	}
}

func appendState(dst []byte, s *store.PollState) []byte {
	c := coder{out: append(dst, stateMessage)}
	own := *s // stateFields sets what it encodes, and others read s
	stateFields(&c, &own)
	return c.out
}

// encodeState is encodeState in the transaction's own room: a round without news brings a
// thousand states.
func (c *catalogTx) encodeState(s *store.PollState) []byte {
	const room, most = 16 << 10, 1 << 10 // most states are far shorter
	if cap(c.encoded)-len(c.encoded) < most {
		c.encoded = make([]byte, 0, room)
	}
	n := len(c.encoded)
	c.encoded = appendState(c.encoded, s)
	return c.encoded[n:len(c.encoded):len(c.encoded)]
}

func decodeState(b []byte) (s store.PollState, err error) {
	if len(b) == 0 || b[0] != stateMessage {
		err = json.Unmarshal(b, &s)
		return s, err
	}
	c := coder{reading: true}
	err = fields(b[1:], func(tag uint64, v []byte) error {
		c.tag, c.val = tag, v
		stateFields(&c, &s)
		return nil
	})
	return s, err
}

// gaps keeps gaps as their texts. One that cannot be read is left out: it says
// something about the past and changes nothing.
func (c *coder) gaps(tag uint64, list *[]store.Gap) {
	if c.is(tag) {
		var g store.Gap
		if g.UnmarshalText(c.val) == nil {
			*list = append(*list, g)
		}
	} else if !c.reading {
		for _, g := range *list {
			c.out = putField(c.out, tag, []byte(g.String()))
		}
	}
}
