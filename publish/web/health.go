package web

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"chancery/store"
)

// level says how much a state matters: a class of badges in the style sheet.
type level string

const (
	fine    level = "ok"
	doubt   level = "warn" // worth a look
	trouble level = "bad"  // somebody must do something, or posts are missed
	resting level = "off"  // nothing is expected of it
)

// health is how a source stands, in words for who never heard of a feed.
type health struct {
	State string `json:"state"` // in a word, as `chancery status` has it
	Level level  `json:"level"`
	Text  string `json:"text"` // a sentence
}

// sourceStates are the states that a source may be in, as [store.SourceState.Word]
// names them; docs/operating.md says what each asks of the operator.
var sourceStates = []string{
	"ok", "new", "quiet", "emptied", "failing", "broken", "missing", "limited", "blocked", "leaving", "gone", "merged", "disabled", "imported", "removed",
}

// longFailing is for how long a source must fail to be in trouble.
const longFailing = 3 * 24 * time.Hour

func healthOf(s *store.SourceState, now time.Time) health {
	st := &s.State
	h := health{State: s.Word()}
	switch h.State {
	case "ok":
		h.Level, h.Text = fine, "Answers well."
	case "new":
		h.Level, h.Text = resting, "It has not been asked yet."
	case "imported":
		h.Level, h.Text = resting, "Its posts came from a file; it is not asked for new ones."
	case "disabled":
		h.Level, h.Text = resting, "The operator switched it off; its posts stay."
	case "quiet":
		h.Level, h.Text = doubt, "It answers, but has brought nothing new for much longer than usual."
	case "emptied":
		h.Level, h.Text = doubt, "Its feed had posts and is empty now. Nothing is removed from the archive."
	case "leaving":
		h.Level, h.Text = doubt, "Its server says that it is gone for good. It is asked once more."
	case "gone":
		h.Level, h.Text = resting, "It is gone for good and not asked any more; its posts stay."
	case "removed":
		h.Level, h.Text = resting, "Its subscription has ended; its posts stay."
	case "merged":
		h.Level, h.Text = resting, "It moved to the address of another source, which goes on; its posts stay."
	case "limited":
		h.Level, h.Text = doubt, "Its server asked us to come less often, and we do."
	case "blocked":
		h.Level, h.Text = trouble, "Its server refuses us."
	case "missing":
		h.Level, h.Text = trouble, "There is nothing at its address any more."
	case "broken":
		h.Level, h.Text = trouble, "It answers, but not with a feed."
	default: // "failing"
		h.Level, h.Text = doubt, "It could not be read."
		if !st.FirstFailure.IsZero() && now.Sub(st.FirstFailure) >= longFailing {
			h.Level = trouble
		}
	}
	if st.Failures > 0 && h.Level != resting && h.State != "leaving" { // that state says it all
		h.Text += " " + classText(st.Class, st.LastStatus)
		if st.Failures > 1 && !st.FirstFailure.IsZero() {
			h.Text += fmt.Sprintf(" Since %s, %s times in a row.", day(st.FirstFailure), grouped(st.Failures))
		}
	}
	return h
}

// classText is a class of failure as a sentence. What the server or the network said
// in detail is for the operator's own status command.
func classText(class string, status int) string {
	text := map[string]string{
		"url": "Its address cannot be asked.", "refused": "Its address is not one that may be asked.", "dns": "Its name is not known to the network.",
		"connect": "No connection could be made.", "tls": "Its certificate is not valid.", "timeout": "It was too slow.",
		"broken": "The connection broke.", "truncated": "The answer broke off.", "too-large": "The answer was too large.",
		"bomb": "The answer grew too large when unpacked.", "coding": "The answer could not be unpacked.", "redirect": "It leads round in a circle, or to a place that may not be followed.",
		"wait": "It asked to wait.", "gone": "It says that it is gone.", "not-found": "There is nothing there.", "auth": "It asks for a password.",
		"forbidden": "It does not let us in.", "limited": "It asked us to slow down.", "server": "Its server has a fault.",
		"html": "A web page came in place of a feed.", "empty": "The answer was empty.", "wall": "A wall against robots answered.",
		"not-a-feed": "What came could not be read as a feed.", "protocol": "The answer made no sense.", "busy": "There was no memory for it.",
	}[class]
	text = cmp.Or(text, "It failed.")
	if status >= 400 {
		text = strings.TrimSuffix(text, ".") + fmt.Sprintf(" (HTTP %d).", status)
	}
	return text
}

// telling are names of parameters that carry what gives access.
var telling = []string{"key", "token", "auth", "sig", "secret", "pass", "pwd", "session", "user", "hash", "code", "login"}

// PublicURL is an address as everybody may see it: without user and password, and
// without parameters that look like a key. Of a source that is read with
// credentials or headers of its own there is none.
func PublicURL(s *store.Source) string {
	u, err := url.Parse(s.Address())
	if err != nil || s.Credential != "" || len(s.Headers) > 0 || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	u.User, u.Fragment = nil, ""
	for name, values := range u.Query() {
		long := len(strings.Join(values, "")) > 24
		for _, t := range telling {
			long = long || strings.Contains(strings.ToLower(name), t)
		}
		if long {
			u.RawQuery = ""
			break
		}
	}
	return u.String()
}
