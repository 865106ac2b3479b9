package html

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"chancery/feed"
)

// maxReferences bounds what [References] lists of each sort.
const maxReferences = 1000

// References lists where the links of a text lead and which pictures it shows, in its
// order and as they are written. Pictures that are data themselves are left out.
func References(t feed.Text) (links, pictures []string) {
	if t.Type != feed.HTML && t.Type != feed.XHTML {
		return nil, nil
	}
	scan := newScanner(t.Value, t.Type == feed.XHTML)
	for {
		switch scan.next() {
		case html.ErrorToken:
			return links, pictures
		case html.StartTagToken:
			switch scan.tag {
			case atom.A:
				if href := strings.TrimSpace(scan.attr("href")); href != "" && len(links) < maxReferences {
					links = append(links, href)
				}
			case atom.Img:
				if src := strings.TrimSpace(scan.attr("src")); src != "" && !strings.HasPrefix(src, "data:") && len(pictures) < maxReferences {
					pictures = append(pictures, src)
				}
			}
		}
	}
}
