package discover

import (
	"bufio"
	"bytes"
	"strings"
)

// Robots are the rules of a robots.txt that concern us (RFC 9309).
type Robots struct{ rules []rule }

type rule struct {
	pattern string
	allow   bool
}

// maxRobots is how much of a robots.txt is read (RFC 9309 §2.5 asks for at least
// 500 KiB).
const maxRobots = 512 << 10

// ParseRobots reads a robots.txt for a product token: its own groups, or those of
// "*" if it has none.
func ParseRobots(b []byte, product string) Robots {
	var own, all []rule
	var named, starred, inRules, hasOwn bool
	sc := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(b[:min(len(b), maxRobots)], []byte("\xef\xbb\xbf"))))
	sc.Buffer(nil, maxRobots+1)
	for sc.Scan() {
		line, _, _ := strings.Cut(sc.Text(), "#")
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch name {
		case "user-agent":
			if inRules { // a new group
				named, starred, inRules = false, false, false
			}
			if value == "*" {
				starred = true
			} else if strings.EqualFold(value, product) {
				named, hasOwn = true, true
			}
		case "allow", "disallow":
			inRules = true
			if value == "" {
				continue // disallows nothing
			}
			r := rule{value, name == "allow"}
			if named {
				own = append(own, r)
			}
			if starred {
				all = append(all, r)
			}
		}
	}
	if hasOwn {
		return Robots{own}
	}
	return Robots{all}
}

// Allowed reports whether path (with its query) may be asked for: the longest
// pattern that matches decides, and of equals the one that allows.
func (r Robots) Allowed(path string) bool {
	best, allowed := -1, true
	for _, x := range r.rules {
		if n := len(x.pattern); matches(x.pattern, path) && (n > best || n == best && x.allow) {
			best, allowed = n, x.allow
		}
	}
	return allowed
}

// matches: "*" stands for anything, a "$" at the end for the end.
func matches(pattern, path string) bool {
	pattern, end := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(path, parts[0]) {
		return false
	}
	rest := path[len(parts[0]):]
	for i, p := range parts[1:] {
		if end && i == len(parts)-2 {
			return strings.HasSuffix(rest, p)
		}
		at := strings.Index(rest, p)
		if at < 0 {
			return false
		}
		rest = rest[at+len(p):]
	}
	return !end || rest == ""
}
