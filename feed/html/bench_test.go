package html

import (
	"fmt"
	"strings"
	"testing"

	"chancery/feed"
)

// article is a post as blogs write them: paragraphs with links, some emphasis, a
// list, a quotation, images with srcset.
func article(paragraphs int) feed.Text {
	var b strings.Builder
	for i := range paragraphs {
		fmt.Fprintf(&b, `<p class="wp-block">On Tuesday the <a href="/2009/01/%d/" title="more">Iraqi government</a> said that Camp Ashraf, in <em>Diyala</em>, will be closed; “there is no third option”, it&#8217;s reported, for the 3,400 residents &amp; their guests. Nobody at the ministry could say who is to pay for the buses.</p>`+"\n", i)
		switch i % 6 {
		case 2:
			b.WriteString("<ul>\n<li>one of <b>several</b> things</li>\n<li>another</li>\n</ul>\n")
		case 3:
			b.WriteString(`<figure><img src="/img/a.jpg" srcset="/img/a-300.jpg 300w, /img/a-600.jpg 600w" width="600" height="400" alt="The gate"><figcaption>The gate</figcaption></figure>` + "\n")
		case 4:
			b.WriteString("<blockquote><p>Remaining is not an option, the statement added, and went on to say what that means.</p></blockquote>\n")
		}
	}
	return feed.Text{Type: feed.HTML, Value: b.String(), Base: "https://blog.example/"}
}

func BenchmarkPlain(b *testing.B) {
	in := article(40)
	b.SetBytes(int64(len(in.Value)))
	b.ReportAllocs()
	for b.Loop() {
		Plain(in)
	}
}

func BenchmarkSegments(b *testing.B) {
	in := article(40)
	b.SetBytes(int64(len(in.Value)))
	b.ReportAllocs()
	for b.Loop() {
		Segments(in)
	}
}

func BenchmarkSanitize(b *testing.B) {
	in := article(40)
	p := DefaultPolicy()
	b.SetBytes(int64(len(in.Value)))
	b.ReportAllocs()
	for b.Loop() {
		Sanitize(in, p)
	}
}

// BenchmarkShaper is sanitizing without the gate.
func BenchmarkShaper(b *testing.B) {
	in := article(40)
	p := DefaultPolicy()
	b.SetBytes(int64(len(in.Value)))
	b.ReportAllocs()
	for b.Loop() {
		w := newShaper(in, p)
		w.run()
	}
}
