package schedule

import (
	"fmt"
	"time"

	"chancery/store"
)

// Ask is how the next poll of a source shall ask.
type Ask struct {
	// Unconditional: leave the validators out.
	Unconditional bool
	// Reread: the document that came last could not be read, and the parser is
	// another one now. If it was kept, it is read again; see [Reread]. Else it is
	// asked for again, and to be read even if it is what came before.
	Reread bool
	Why    string // in words
}

// Plan says how to ask a source in state st at now. parser is the version of the
// parser in use. It changes nothing; pass the state through [Asked] when the poll
// is made.
func Plan(st store.PollState, parser int, now time.Time) Ask {
	m := recall(st.Schedule)
	if m.Unparsed != "" && m.Parser != parser {
		return Ask{Unconditional: true, Reread: true, Why: "the document could not be read, and the parser is another one now"}
	}
	if st.ETag == "" && st.LastModified == "" {
		return Ask{Unconditional: true, Why: "no validators are known"}
	}
	if eternal(m, now) && !soon(st, now) {
		return Ask{Unconditional: true, Why: fmt.Sprintf("only \"not modified\" for %s, which is not by chance at its usual rate", human(now.Sub(m.Since304)))}
	}
	return Ask{Why: "with its validators"}
}

// Asked is the state with which the poll planned by [Plan] is made. Forced polls
// are counted even if they fail; to read a body again its hash is forgotten.
func Asked(st store.PollState, a Ask, now time.Time) store.PollState {
	if !a.Unconditional {
		return st
	}
	if a.Reread {
		st.BodyHash = ""
	}
	if m := recall(st.Schedule); eternal(m, now) && !soon(st, now) {
		m.Forced = now.UTC().Round(0)
		st.Schedule = m.bytes()
	}
	return st
}

// Reread is the state after the document that came last, which was kept, was read
// again by a newer parser: the mark that it is unreadable goes, or holds for that
// parser too (CONFORMANCE F-09).
func Reread(st store.PollState, parser int, readable bool) store.PollState {
	m := recall(st.Schedule)
	m.Parser = parser
	if readable {
		m.Unparsed = ""
	}
	st.Schedule = m.bytes()
	return st
}

// soon: a request without validators would come too soon after the last one. A
// poll by hand then stays conditional.
func soon(st store.PollState, now time.Time) bool {
	gap := now.Sub(st.Polled)
	return gap >= 0 && gap < slow
}

// eternal: F-13.
func eternal(m memory, now time.Time) bool {
	return !m.Since304.IsZero() && now.Sub(m.Since304) >= 8*day && now.Sub(m.Forced) >= 8*day &&
		silence(m.Usual, now.Sub(m.Since304)) < 0.001
}
