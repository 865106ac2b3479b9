package control

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// How much of a command line goes into a log.
const (
	maxLoggedArg  = 200  // bytes of one argument
	maxLoggedLine = 1000 // bytes of all
)

// hidden stands where a secret was.
const hidden = "xxxxx"

var (
	anyAddress  = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://\S*`)
	noScheme    = regexp.MustCompile(`^(--?[a-z-]+=)?[^/@\s:=]*:[^@\s]*@`)
	readerToken = regexp.MustCompile(`/t/[^/\s?#]+`)
	secretValue = regexp.MustCompile(`(?i)\b([a-z0-9_-]*(?:token|secret|passw|pwd|key|auth|signature|sig))=[^&\s]+`)
)

// Redacted is a command line as a log may show it: without the passwords and
// tokens that addresses carry, and no longer than a line.
func Redacted(args []string) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(cut(redact(arg), maxLoggedArg))
		if b.Len() > maxLoggedLine {
			break
		}
	}
	return cut(b.String(), maxLoggedLine)
}

func redact(arg string) string {
	found := false
	arg = anyAddress.ReplaceAllStringFunc(arg, func(address string) string {
		found = true
		scheme, rest, _ := strings.Cut(address, "://")
		if u, err := url.Parse(address); err == nil {
			if u.User != nil {
				authority, path, slash := strings.Cut(rest, "/")
				rest = hidden + authority[strings.LastIndexByte(authority, '@'):]
				if slash {
					rest += "/" + path
				}
			}
		} else if at := strings.LastIndexByte(rest, '@'); at >= 0 { // what stands before may be a password
			rest = hidden + rest[at:]
		}
		return scheme + "://" + rest
	})
	if !found {
		arg = noScheme.ReplaceAllString(arg, "${1}"+hidden+"@")
	}
	arg = readerToken.ReplaceAllString(arg, "/t/"+hidden)
	return secretValue.ReplaceAllString(arg, "${1}="+hidden)
}

// cut shortens s to at most n bytes, the mark of the cut included.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
