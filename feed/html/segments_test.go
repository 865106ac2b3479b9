package html

import (
	"strings"
	"testing"

	"chancery/feed"

	"github.com/google/go-cmp/cmp"
)

// Plain text keeps words, paragraphs and lines, and nothing of the markup.
func TestPlain(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"white space folds", "  a \n\t b&nbsp;&#8195;c ", "a b c"},
		{"paragraphs", "<p>One.</p>\n\n<p>Two.</p>", "One.\n\nTwo."},
		{"inline elements join", "Ira<b>n</b>ian <i>press</i>", "Iranian press"},
		{"unclosed paragraphs", "<p>One.<p>Two.", "One.\n\nTwo."},
		{"br", "a<br>b<br/>c", "a\nb\nc"},
		{"two br are a paragraph", "a<br><br />\nb<br><br><br>c", "a\n\nb\n\nc"},
		{"lists", "<p>x</p><ul><li>a</li><li>b <b>c</b><ol><li>d</ol></ul>y", "x\n\na\nb c\n\nd\n\ny"},
		{"description list", "<dl><dt>PMOI<dd>see MEK</dl>", "PMOI\nsee MEK"},
		{"table", "<table><caption>T</caption><tr><th>a<th>b<tr><td>1</td><td>2</td></tr></table>z", "T\n\na\tb\n1\t2\n\nz"},
		{"pre", "x<pre>\n  if a {\n\tb\n\n\n  }\n</pre>y", "x\n\n  if a {\n\tb\n\n  }\n\ny"},
		{"script and style", "a<script>var x='<p>no</p>'</script><style>p{}</style>b", "ab"},
		{"comments", "a<!-- no -- no > no -->b<![CDATA[no]]>c", "abc"},
		{"title of a page", "<html><head><title>no</title></head><body>yes</body></html>", "yes"},
		{"form fields", "a <select><option>no</option></select><textarea>no</textarea> b", "a b"},
		{"character references", "&lt;b&gt; &amp;amp; &eacute;t&#233; &#x6a9;", "<b> &amp; été ک"},
		{"alternative text", `see<img alt="Map of Diyala" src="x">now<img alt="IMG_20.JPG"><img>`, "see Map of Diyala now"},
		{"figure", "<figure><img alt='Camp'><figcaption>The gate</figcaption></figure>x", "Camp\n\nThe gate\n\nx"},
		{"ruby without parentheses", "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢kan"},
		{"soft hyphen and zero width space", "Moja&shy;hed\u200bin &#xfeff;x", "Mojahedin x"},
		{"ZWNJ is Persian", "می\u200cشود", "می\u200cشود"},
		{"direction overrides", "a\u202egnp.exe\u202c b", "agnp.exe b"},
		{"stray end tags", "</ul></b></p>a</table>", "a"},
		{"less than", "1 < 2 and a<b", "1 < 2 and a"},
		{"noscript", "a <noscript><img alt=map> text</noscript>", "a map text"},
		{"wrong UTF-8", "a\xffb", "a\uFFFDb"},
		{"lazy image told once", `<img alt="A map" data-src=x><noscript><img alt="A map" src=x></noscript>.`, "A map ."},
		{"hidden", `a<div style="Display: none">spam<div>more</div></div><span hidden>x</span>b`, "ab"},
		{"hidden without end", `a <div hidden>text`, "a\n\ntext"},
		{"frame and svg without end", `a <iframe src=x /> b <svg/> c <select> d`, "a b c d"},
		{"svg that closes itself", `a <svg/> b <svg><title/><path d="x"/></svg> c <svg><svg/></svg> d`, "a b c d"},
		{"head without end", `<head><title>no</title><header>a</header><p>b`, "a\n\nb"},
		{"script without end", `a<script>var x = "<b>"`, "a"},
		{"upper case", "<P>One<BR>two<SCRIPT>x</SCRIPT></P>", "One\ntwo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Plain(feed.Text{Type: feed.HTML, Value: tt.in}); got != tt.want {
				t.Errorf("Plain(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

// Text that is no HTML keeps what looks like markup, and its lines.
func TestPlainOfText(t *testing.T) {
	in := feed.Text{Value: "  a <b> & &amp;\nb\n\n\n c  "}
	if got, want := Plain(in), "a <b> & &amp;\nb\n\nc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Segments tell running text from links, lists, headings and images; joined they
// are the plain text.
func TestSegments(t *testing.T) {
	in := feed.Text{Type: feed.HTML, Value: `<h2>Camp</h2><p>The <a href="/x">MEK</a> said.</p>` +
		`<ul><li><a href="/t/iran">Iran</a></li><li><a name="y">Iraq</a></li></ul><img alt="map"><blockquote>q</blockquote>`}
	want := []Segment{
		{Text: "Camp", Heading: true},
		{Text: "\n\nThe", Block: 1},
		{Text: " MEK", Block: 1, Link: true},
		{Text: " said.", Block: 1},
		{Text: "\n\nIran", Block: 2, Link: true, List: true},
		{Text: "\nIraq", Block: 3, List: true},
		{Text: "\n\nmap", Block: 4, Alt: true},
		{Text: "\n\nq", Block: 5, Quote: true},
	}
	got := Segments(in)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("segments (-want +got):\n%s", d)
	}
	var b strings.Builder
	for _, s := range got {
		b.WriteString(s.Text)
	}
	if b.String() != Plain(in) {
		t.Errorf("joined %q, plain %q", b.String(), Plain(in))
	}
}

// What stands in quotations is not the author's own; where there is none, nothing is told.
func TestOwn(t *testing.T) {
	for in, want := range map[string]string{
		`<p>one</p><BLOCKQUOTE><p>two</p><p>three</p></BLOCKQUOTE><p>four</p>`: "one\n\nfour",
		`<blockquote>all</blockquote>`:                                         "",
		`<p>he said <q>so</q> and left</p>`:                                    "he said and left",
		`<blockquote>one<p>never closed`:                                       "",
		`<p>one<br>two</p><blink>three</blink>`:                                "not quoted",
		`<p>a &lt;blockquote> in words</p>`:                                    "not quoted",
		`<p>cut off <bl`:                                                       "not quoted",
		`<div>a<blockquote>b</blockquote>c</div>d<`:                            "a\n\nc\n\nd<",
	} {
		got, quoted := Own(feed.Text{Type: feed.HTML, Value: in})
		if !quoted {
			got = "not quoted"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if _, quoted := Own(feed.Text{Value: "<blockquote>text</blockquote>"}); quoted {
		t.Error("plain text quotes")
	}
}
