package html

import (
	"strings"
	"testing"
	"unicode/utf8"

	"chancery/feed"
)

// attacks are seeds: shapes that sanitizers have fallen for.
var attacks = []string{
	`<p>a<b>b<i>c</b>d</i>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
	`<a href="java&Tab;script:alert(1)">x</a><a href="&#1;javascript:alert(1)">y</a>`,
	`<img src="x` + "`" + `><script>alert(1)</script>"` + "`" + `>`,
	`<table><td><a><table><a></table><p>x<select><option>`,
	`<template><p></template><xmp><script></xmp><plaintext></plaintext>`,
	`<video><source src=https://a/b><track src=//c></video><picture><img srcset="a,b 1x,, c 2x">`,
	"<pre>\n\n\nx<textarea>\n</pre>",
	`<ruby>a<rt>b<rp>c<p>d</ruby></rt>`,
	`<li><p><dd><dt><li><address><li>`,
	`<iframe src="//x/y" title="<b>"></iframe/><embed src=data:x><object data=x>`,
	"<a title='\u202e' href=http://a/\u00ad>\x00\x0c</a\x00>",
	`<![CDATA[<b>]]><!-- --!><?php <b> ?><!DOCTYPE x [<!ENTITY y "z">]>`,
}

// Whatever goes in, what comes out is inert, stable and in proportion.
func FuzzSanitize(f *testing.F) {
	for _, s := range attacks {
		f.Add(s, "https://blog.example/2009/", false)
		f.Add(s, "", true)
	}
	f.Fuzz(func(t *testing.T, value, base string, xhtml bool) {
		in := feed.Text{Type: feed.HTML, Value: value, Base: base}
		if xhtml {
			in.Type = feed.XHTML
		}
		holds(t, in)
	})
}

// Plain text is valid, has no controls but its breaks, and is its segments
// joined; it is no longer than what it was made of.
func FuzzPlain(f *testing.F) {
	for _, s := range attacks {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, value string, markup bool) {
		in := feed.Text{Type: feed.PlainText, Value: value}
		if markup {
			in.Type = feed.HTML
		}
		got := Plain(in)
		if !utf8.ValidString(got) || got != strings.TrimSpace(got) {
			t.Errorf("Plain(%q) = %q", value, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && r != '\t' && (isSpace(r) && r != ' ' || invisible(r)) }); i >= 0 {
			t.Errorf("Plain(%q) has %q at %d", value, got[i:], i)
		}
		if len(got) > 3*len(value) {
			t.Errorf("%d bytes became %d", len(value), len(got))
		}
		var b strings.Builder
		block := 0
		for _, s := range Segments(in) {
			if s.Text == "" || s.Block < block || s.Block > block+1 {
				t.Errorf("segments of %q: block %d after %d, text %q", value, s.Block, block, s.Text)
			}
			block = s.Block
			b.WriteString(s.Text)
		}
		if b.String() != got {
			t.Errorf("segments of %q joined: %q, plain: %q", value, b.String(), got)
		}
	})
}
