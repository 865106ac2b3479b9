package fetch

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// acceptEncoding names what we decode (CONFORMANCE F-32). Setting it switches
// the transport's own gunzip off, so that limits hold while decoding.
const acceptEncoding = "gzip, br, zstd"

// maxWindow is the largest window a zstd frame may need (RFC 9659 §3).
const maxWindow = 8 << 20

var errCoding = errors.New("content coding")

// codings lists the content codings of a response in the order they were
// applied, "identity" left out. A third one, or one we do not know, is an error.
func codings(h http.Header) ([]string, error) {
	var out []string
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			switch name {
			case "", "identity", "none", "utf-8": // the last two are seen in the wild and mean nothing
				continue
			case "x-gzip":
				name = "gzip" // RFC 9110 §8.4.1.3
			case "gzip", "br", "zstd", "deflate":
			default:
				return nil, fmt.Errorf("%w %.40q is unknown", errCoding, name)
			}
			out = append(out, name)
		}
	}
	if len(out) > 2 {
		return nil, fmt.Errorf("%w: %d codings one on another", errCoding, len(out))
	}
	return out, nil
}

// decoder undoes one coding of what comes from r. ignored is true when the bytes
// do not begin as that coding does: then they are given as they are (F-34).
func decoder(coding string, r io.Reader) (out io.Reader, ignored bool, err error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if len(head) == 0 {
		return br, false, nil // an empty body is empty in any coding
	}
	switch coding {
	case "gzip":
		if !bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
			return br, true, nil
		}
		zr := &gunzip{src: br}
		return zr, false, nil
	case "zstd":
		frame := len(head) == 4 && bytes.Equal(head[1:], []byte{0xb5, 0x2f, 0xfd}) && head[0] == 0x28
		skippable := len(head) == 4 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}) && head[0]&0xf0 == 0x50
		if !frame && !skippable {
			return br, true, nil
		}
		zr, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, false, err
		}
		return &unzstd{zr}, false, nil
	case "br":
		// Brotli has no magic: a body that begins as a document does is taken for one.
		// A stream that begins with '<' would be one of a 64 KiB window in an empty
		// first block, which no encoder writes.
		if looksPlain(br) {
			return br, true, nil
		}
		return brotli.NewReader(br), false, nil
	default: // deflate: zlib by the RFC, raw by an old mistake of servers
		if looksPlain(br) {
			return br, true, nil
		}
		if len(head) >= 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			zr, err := zlib.NewReader(br)
			return zr, false, err
		}
		return flate.NewReader(br), false, nil
	}
}

// looksPlain reports whether what comes begins as an uncoded feed or page does.
func looksPlain(br *bufio.Reader) bool {
	head, _ := br.Peek(64)
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	head = bytes.TrimLeft(head, " \t\r\n")
	for _, p := range []string{"<?xml", "<rss", "<feed", "<rdf:RDF", "<!", "<html", "{"} {
		if len(head) >= 2 && bytes.HasPrefix(head, []byte(p)) {
			return p != "{" || bytes.HasPrefix(bytes.TrimLeft(head[1:], " \t\r\n"), []byte(`"`))
		}
	}
	return false
}

// gunzip reads gzip members one after another. What follows the last one and is
// no member (padding, a stray line) is passed over (F-35); a member cut off is
// io.ErrUnexpectedEOF.
type gunzip struct {
	src  *bufio.Reader
	zr   *gzip.Reader
	done bool
}

func (g *gunzip) Read(p []byte) (int, error) {
	if g.done {
		return 0, io.EOF
	}
	for {
		if g.zr == nil {
			zr, err := gzip.NewReader(g.src)
			if err != nil {
				return 0, ended(err)
			}
			zr.Multistream(false)
			g.zr = zr
		}
		n, err := g.zr.Read(p)
		if n > 0 || err == nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		head, err := g.src.Peek(2)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
			g.done = true
			return 0, io.EOF
		}
		if err := g.zr.Reset(g.src); err != nil {
			return 0, ended(err)
		}
		g.zr.Multistream(false)
	}
}

// ended makes the end of input inside a header what it is: a cut.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unzstd frees the decoder at the end of the stream.
type unzstd struct{ zr *zstd.Decoder }

func (u *unzstd) Read(p []byte) (int, error) { return u.zr.Read(p) }

func (u *unzstd) Close() error {
	u.zr.Close()
	return nil
}
