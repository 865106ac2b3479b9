package html

import (
	"bytes"
	"strings"

	"golang.org/x/net/html/atom"
)

// player is the open video, audio or picture; nil if none is.
func (w *shaper) player() *player {
	if n := len(w.stack); n > 0 {
		return w.stack[n-1].media
	}
	return nil
}

// openPlayer opens a video, audio or picture. Only its sources, tracks and image
// are content; the rest is for browsers without players.
func (w *shaper) openPlayer(a atom.Atom, el *element) {
	w.cell()
	w.flush()
	m := &player{at: len(w.out)}
	for key, val := range w.scan.attrs() {
		switch {
		case key == "src" && a != atom.Picture: // a picture has none of its own, only its image has
			m.source(w, val)
		case key == "title":
			m.label = val
		}
	}
	w.push(a, el)
	if a != atom.Picture {
		w.out = w.out[:len(w.out)-1]
		w.out = append(w.out, ` controls="" preload="none">`...)
	}
	w.stack[len(w.stack)-1].media = m
	if w.scan.selfClosing || w.scan.unclosed() {
		w.pop() // else the rest of the text would be taken for its content
	}
}

// source notes a source: one by https is shown, another becomes a link.
func (m *player) source(w *shaper, ref string) {
	abs, scheme := w.webURL(ref)
	switch {
	case scheme == "https":
		m.kept = true
		if m.link == "" {
			m.link = abs
		}
	case abs != "" && m.link == "":
		m.link = abs
	}
}

// inPlayer handles a start tag inside a video, audio or picture.
func (w *shaper) inPlayer(m *player, a atom.Atom, el *element) {
	switch picture := w.stack[len(w.stack)-1].a == atom.Picture; {
	case a == atom.Source && picture:
		at := len(w.out)
		w.write(a, el)
		if !bytes.Contains(w.out[at:], []byte(` srcset="`)) {
			w.out = w.out[:at]
		}
	case a == atom.Source, a == atom.Track && !picture:
		at := len(w.out)
		w.write(a, el)
		if !bytes.Contains(w.out[at:], []byte(` src="`)) {
			w.out = w.out[:at]
		}
		if a == atom.Source {
			for key, val := range w.scan.attrs() {
				if key == "src" {
					m.source(w, val)
				}
			}
		}
	case a == atom.Img && picture:
		at := len(w.out)
		if w.image(el) {
			m.kept, m.image = true, string(w.out[at:])
		}
	}
}

// closePlayer takes back a player with nothing to show, leaving a link if there
// was a source at all.
func (w *shaper) closePlayer(e entry) {
	switch m := e.media; {
	case m.kept && !w.policy.NoImages:
	case m.kept && e.a == atom.Picture: // its image has become a link already, or text in one
		w.out = append(w.out[:m.at], m.image...)
	default:
		w.out = w.out[:m.at]
		if m.link != "" {
			w.link(m.link, m.label)
		}
	}
}

// image writes an image and reports whether it did.
func (w *shaper) image(el *element) bool {
	var im imageTag
	for key, val := range w.scan.attrs() {
		im.attr(key, val)
	}
	if im.counter() {
		w.report.Trackers++
		return false
	}
	abs, _ := w.webURL(im.src)
	if lazy, _ := w.webURL(im.lazy); lazy != "" && (abs == "" || im.placeholder()) {
		abs = lazy
		w.lazy = true
	}
	if im.srcset == "" && im.lazyset != "" {
		im.srcset = im.lazyset
		w.lazy = true
	}
	if w.tracker(abs) {
		w.report.Trackers++
		return false
	}
	set := w.imageSet(im.srcset)
	if abs == "" {
		if set == "" {
			if im.src != "" {
				w.report.Active++
			}
			return false
		}
		abs, _, _ = strings.Cut(set, " ")
		abs = strings.TrimSuffix(abs, ",")
	}
	if w.player() == nil {
		w.cell()
		w.flush()
	}
	if w.policy.NoImages {
		w.link(abs, im.alt)
		return true
	}
	w.out = append(w.out, `<img src="`...)
	w.out = appendEscaped(w.out, abs)
	w.out = append(w.out, '"')
	if set != "" {
		w.out = append(w.out, ` srcset="`...)
		w.out = appendEscaped(w.out, set)
		w.out = append(w.out, '"')
	}
	w.attrs(el, "src", "srcset")
	w.out = append(w.out, '>')
	return true
}

func (w *shaper) imageSet(s string) string {
	return srcset(s, w.resolve, func(abs, scheme string) bool { return scheme != "mailto" && !w.tracker(abs) })
}

// imageTag is what an img tag says.
type imageTag struct {
	src, srcset, lazy, lazyset, alt string
	width, height, style            string
}

func (im *imageTag) attr(key, val string) {
	switch key {
	case "src":
		im.src = val
	case "srcset":
		im.srcset = val
	case "data-src", "data-lazy-src", "data-original":
		if im.lazy == "" {
			im.lazy = val
		}
	case "data-srcset", "data-lazy-srcset":
		im.lazyset = val
	case "alt":
		im.alt = val
	case "width":
		im.width = val
	case "height":
		im.height = val
	case "style":
		im.style = val
	}
}

// counter reports whether the image is there to be counted, not seen: one pixel
// or none in both directions, or in one and unknown in the other (SEC-14).
func (im *imageTag) counter() bool {
	w, h := im.width, im.height
	if im.style != "" {
		style := strings.ToLower(im.style)
		if v, ok := styleValue(style, "width"); ok {
			w = v
		}
		if v, ok := styleValue(style, "height"); ok {
			h = v
		}
		if v, _ := styleValue(style, "display"); v == "none" {
			return true
		}
	}
	return tiny(w) && tiny(h) || none0(w) || none0(h) || tiny(w) && h == "" || tiny(h) && w == ""
}

// tiny: 0 or 1 pixel.
func tiny(s string) bool {
	s = strings.TrimSuffix(strings.TrimSpace(s), "px")
	return s == "1" || none0(s)
}

// none0: declared to have no size.
func none0(s string) bool {
	s = strings.TrimSuffix(strings.TrimSpace(s), "px")
	return s != "" && strings.Trim(s, "0") == ""
}

// styleValue finds a declaration in a style attribute, well enough for trackers,
// which don't hide their sizes.
func styleValue(style, property string) (string, bool) {
	for decl := range strings.SplitSeq(style, ";") {
		k, v, ok := strings.Cut(decl, ":")
		if ok && strings.TrimSpace(k) == property {
			return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "!important")), true
		}
	}
	return "", false
}

// placeholder reports whether src only stands in for an image that a script
// would load.
func (im *imageTag) placeholder() bool {
	s := strings.ToLower(im.src)
	for _, hint := range []string{"blank.", "placeholder", "spacer.", "lazy", "loading.", "1x1", "transparent", "pixel."} {
		if strings.Contains(s, hint) {
			return true
		}
	}
	return false
}
