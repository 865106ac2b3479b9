package html

import (
	"strings"
	"testing"

	"chancery/feed"
)

const relAttr = ` rel="noopener noreferrer nofollow"`

// What is allowed stays, what is not goes, references become absolute.
func TestSanitize(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		// SEC-12
		{"script", `a<script>alert(1)</script>b`, `ab`},
		{"script in capitals, unclosed", `a<SCRIPT SRC=//x.example/x.js>b`, `a`},
		{"style", `<style>p{}</style><p style="color:red" class=x id=y name=z onclick="f()">a</p>`, `<p>a</p>`},
		{"form", `<form action=/x><input name=q><textarea>t</textarea><button>Go</button></form>`, `<div>Go</div>`},
		{"object", `<object data=x.swf>fallback</object>`, `fallback`},
		{"svg that closes itself", `a<svg/>b<svg><title/><path/></svg>c<svg><svg/></svg>d`, `abcd`},
		{"svg and math", `a<svg><script>1</script><a xlink:href="javascript:1">x</a></svg><math><mi>b</mi></math>`, `ab`},
		{"unknown element", `<blink>a</blink><x-y>b</x-y>`, `ab`},
		{"comments", `a<!--[if IE]><script>1</script><![endif]-->b`, `ab`},
		{"text", `1 < 2 & "x"`, `1 &lt; 2 &amp; &#34;x&#34;`},
		// SEC-13
		{"balanced", `<b>a<i>b</b>c</i>`, `<b>a<i>b</i></b><i>c</i>`},
		{"block in paragraph", `<p>a<div>b</div>c</p>`, `<p>a</p><div>b</div>c`},
		{"emphasis over paragraphs", `<p><b>a<p>b</b>c`, `<p><b>a</b></p><p><b>b</b>c</p>`},
		{
			"video", `<video src="https://x.example/v.mp4" autoplay onplay=f() width=640 poster="p.jpg">old browser</video>`,
			`<video src="https://x.example/v.mp4" width="640" poster="https://blog.example/2009/p.jpg" controls="" preload="none"></video>`,
		},
		{
			"audio with sources", `<audio><source src="https://x.example/a.ogg" type="audio/ogg"><source src="http://x.example/a.mp3"></audio>`,
			`<audio controls="" preload="none"><source src="https://x.example/a.ogg" type="audio/ogg"></audio>`,
		},
		{
			"video by http is a link", `<video title="The visit" src="http://x.example/v.mp4">old</video>`,
			`<a href="http://x.example/v.mp4"` + relAttr + `>The visit</a>`,
		},
		{
			"picture", `<picture><source srcset="/a.webp 2x" type="image/webp"><img src=/a.jpg alt=map></picture>`,
			`<picture><source srcset="https://blog.example/a.webp 2x" type="image/webp"><img src="https://blog.example/a.jpg" alt="map"></picture>`,
		},
		{
			"unclosed video keeps the text", `<video src="https://x.example/v.mp4">text`,
			`<video src="https://x.example/v.mp4" controls="" preload="none"></video>text`,
		},
		// SEC-14
		{"pixels", `a<img src=/1.gif width=1 height="1"><img src=/2.gif height=0><img src=/3.gif style="width: 1px; height:1px">b`, `ab`},
		{"trackers", `<img src="https://feeds.feedburner.com/~r/x/~4/y"><img src="http://www.pixel.wp.com/g.gif">`, ``},
		{"a rule is no pixel", `<img src=/hr.gif width=400 height=1>`, `<img src="https://blog.example/hr.gif" width="400" height="1">`},
		{"nothing left of a share button", `a <a href="/share"><img src="http://feeds.feedburner.com/~ff/x?d=1"></a>b`, `a b`},
		{"hidden text stays hidden", `a<div style="display:none!important">spam</div>b<span style="display:inline">c</span>`, `abc`},
		{
			"every attribute of an image", `<img dir=ltr lang=en title=t alt=a width=2 height=3 sizes=4px srcset="/b 2x" src=/c>`,
			`<img src="https://blog.example/c" srcset="https://blog.example/b 2x" dir="ltr" lang="en" title="t" alt="a" width="2" height="3" sizes="4px">`,
		},
		{
			"every attribute of a video", `<video dir=ltr lang=en title=t width=2 height=3 loop muted poster=/p src=/v></video>`,
			`<video dir="ltr" lang="en" title="t" width="2" height="3" loop="" muted="" poster="https://blog.example/p" src="https://blog.example/v" controls="" preload="none"></video>`,
		},
		{"controls that part words", "a\fb&#13;c&#11;d", "a b c d"},
		// SEC-15
		{"links", `<a href="x" target=_blank rel=opener>a</a>`, `<a href="https://blog.example/2009/x"` + relAttr + `>a</a>`},
		{"mailto", `<a href="mailto:a@b.example?subject=x y">a</a>`, `<a href="mailto:a@b.example?subject=x%20y"` + relAttr + `>a</a>`},
		{"schemes", `<a href="javascript:f()">a</a><a href=" java&#x0a;script:f()">b</a><a href="data:text/html,x">c</a><a href="tel:1">d</a><a href="vbscript:f">e</a>`, `abcde`},
		{"links don't nest", `<a href=/a>x<a href=/b>y</a>`, `<a href="https://blog.example/a"` + relAttr + `>x</a><a href="https://blog.example/b"` + relAttr + `>y</a>`},
		// SEC-17
		{"iframe", `<iframe src="//www.youtube.com/embed/x" title="Talk"><p>no</p></iframe>`, `<a href="https://www.youtube.com/embed/x"` + relAttr + `>Talk</a>`},
		{
			"iframe in a link", `<a href=/a>x<iframe src=/f></iframe></a>`,
			`<a href="https://blog.example/a"` + relAttr + `>x</a><a href="https://blog.example/f"` + relAttr + `>https://blog.example/f</a>`,
		},
		{"iframe without end keeps the text", `<iframe src=/f />text`, `<a href="https://blog.example/f"` + relAttr + `>https://blog.example/f</a>text`},
		{"embed", `<object><embed src="http://v.example/1"></object>`, `<a href="http://v.example/1"` + relAttr + `>http://v.example/1</a>`},
		// P-57, P-58
		{
			"srcset", `<img src=a.jpg srcset="b,c.jpg 480w,, /d.jpg 2x , data:x 3x, e.jpg">`,
			`<img src="https://blog.example/2009/a.jpg" srcset="https://blog.example/2009/b,c.jpg 480w, https://blog.example/d.jpg 2x, https://blog.example/2009/e.jpg">`,
		},
		{"cite", `<blockquote cite="../s">q</blockquote><q cite="javascript:1">r</q>`, `<blockquote cite="https://blog.example/s">q</blockquote><q>r</q>`},
		{"international host", `<a href="http://خبر.example/صفحه?q=ایران">a</a>`, `<a href="http://xn--ngblk.example/%D8%B5%D9%81%D8%AD%D9%87?q=%D8%A7%DB%8C%D8%B1%D8%A7%D9%86"` + relAttr + `>a</a>`},
		{"stray percent", `<img src="/100%.png">`, `<img src="https://blog.example/100%25.png">`},
		{"fragment", `<a href="#fn1" id="r1">1</a>`, `<a href="https://blog.example/2009/#fn1"` + relAttr + `>1</a>`},
		// Tables, lists, pre, ruby, details.
		{
			"table", `<table border=1><tr><td colspan=2>a<td>b<tr><th scope=row>c</table>d`,
			`<table><tbody><tr><td colspan="2">a</td><td>b</td></tr><tr><th scope="row">c</th></tr></tbody></table>d`,
		},
		{"text in a table", `<table>x<tr><td>a</table>`, `<table><tbody><tr><td>x</td></tr><tr><td>a</td></tr></tbody></table>`},
		{"lists", `<ol start=3 type=a><li>a<li value=7>b<ul><li>c</ol>d`, `<ol start="3" type="a"><li>a</li><li value="7">b<ul><li>c</li></ul></li></ol>d`},
		{"pre", "<pre>\n\n  a\n</pre>", "<pre>\n\n  a\n</pre>"},
		{"ruby", `<ruby>漢<rp>(</rp><rt>kan<rp>)</rp></ruby>`, `<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>`},
		{"details", `<details open><summary>s</summary>t</details>`, `<details open=""><summary>s</summary>t</details>`},
		{"language and direction", `<p lang=fa dir=RTL>سلام</p>`, `<p lang="fa" dir="rtl">سلام</p>`},
		{"lazy image", `<img src="data:image/gif;base64,x" data-src="/a.jpg"><noscript><img src="/a.jpg"></noscript>`, `<img src="https://blog.example/a.jpg">`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := feed.Text{Type: feed.HTML, Value: tt.in, Base: "https://blog.example/2009/"}
			if got := Sanitize(in, DefaultPolicy()); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
			}
			holds(t, in)
		})
	}
}

// PUB-06: without a base, relative references can't be made absolute and go.
func TestSanitizeWithoutBase(t *testing.T) {
	in := feed.Text{Type: feed.HTML, Value: `<a href="/x">a</a><img src="y.png"><a href="//b.example/z">b</a>`}
	if got, want := Sanitize(in, Policy{}), `a<a href="https://b.example/z"`+relAttr+`>b</a>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Plain text is escaped, its paragraphs and lines kept.
func TestSanitizeText(t *testing.T) {
	for in, want := range map[string]string{
		"a\rb\fc\r\nd":       "<p>a<br>b c<br>d</p>",
		"a <script>":         "a &lt;script&gt;",
		"a\r\nb\n\n \nc\x00": "<p>a<br>b</p><p>c</p>",
	} {
		if got := Sanitize(feed.Text{Value: in}, Policy{}); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// SEC-14: what is taken out is counted.
func TestReport(t *testing.T) {
	in := feed.Text{Type: feed.HTML, Base: "https://b.example/", Value: `<img src=/p width=1 height=1><img src="http://stats.wordpress.com/b.gif">` +
		`<iframe src=/f></iframe><script>1</script><a href="javascript:1" onclick=f()>x</a>`}
	_, got := Clean(in, DefaultPolicy())
	if want := (Report{Trackers: 2, Frames: 1, Active: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// SEC-18: without images nothing is loaded, and what they showed can be opened.
func TestNoImages(t *testing.T) {
	in := feed.Text{Type: feed.HTML, Base: "https://b.example/", Value: `<p><img src=/a.png alt=Map><picture><source srcset=/b.webp><img src=/b.png></picture>` +
		`<video src=/v.mp4></video><a href=/a><picture><img src=/c.png alt=Camp></picture></a></p>`}
	got := Sanitize(in, Policy{NoImages: true})
	want := `<p><a href="https://b.example/a.png"` + relAttr + `>Map</a>` +
		`<a href="https://b.example/b.png"` + relAttr + `>https://b.example/b.png</a>` +
		`<a href="https://b.example/v.mp4"` + relAttr + `>https://b.example/v.mp4</a>` +
		`<a href="https://b.example/a"` + relAttr + `>Camp</a></p>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Hostile texts cost bounded time and space: the result stays in proportion and
// parses, however deep or long.
func TestSanitizeHostile(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 2000
	}
	for name, s := range map[string]string{
		"deep":       strings.Repeat("<div>", n) + "x" + strings.Repeat("</div>", n),
		"formatted":  strings.Repeat("<p><b><i><u><s><em>", n),
		"misnested":  strings.Repeat("<b><p></b>", n),
		"tables":     strings.Repeat("<table>", n),
		"links":      strings.Repeat("<a href=x>", n),
		"attributes": "<p " + strings.Repeat("title=x ", n) + ">",
		"candidates": `<img srcset="` + strings.Repeat("a,", n) + `">`,
		"srcset":     strings.Repeat(`<img srcset="a 1x, b 2x">`, n),
		"end tags":   strings.Repeat("<span lang=fa>", n) + strings.Repeat("</div>", n),
		"unclosed":   strings.Repeat("<iframe src=x><video><svg>", n),
		"references": strings.Repeat("&notanentity", n),
		"angles":     strings.Repeat("<", n),
		"comment":    strings.Repeat("<!--", n),
		"quote":      `<a href="` + strings.Repeat("<p>", n),
	} {
		t.Run(name, func(t *testing.T) {
			holds(t, feed.Text{Type: feed.HTML, Value: s, Base: "https://blog.example/" + strings.Repeat("long/", 500)})
		})
	}
}
