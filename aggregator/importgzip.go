package aggregator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// maxUnpacked bounds what a gzip file may become, as a multiple of its size, beyond
// the first maxDocument bytes: exports unpack to four to ten times theirs, a file made
// to fill a machine to a thousand times. It is what max_ratio of [fetch] allows a
// server by default.
const maxUnpacked = 200

// gzipFault is a file that is compressed wrongly or too well.
type gzipFault struct {
	text string
	// torn: what was unpacked before is as it was packed, and ends too soon.
	torn bool
}

func (f *gzipFault) Error() string { return f.text }

// packed is a gzip file being unpacked, of one member or several. Its errors are a
// *gzipFault, or those of the file.
type packed struct {
	file counted
	zr   *gzip.Reader
	out  int64 // bytes unpacked
}

// isGzip reports whether a file begins as gzip does with its one method (RFC 1952
// section 2.3.1).
func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}) }

func newPacked(r *bufio.Reader) *packed { return &packed{file: counted{r: r}} }

func (p *packed) Read(b []byte) (int, error) {
	if p.zr == nil {
		zr, err := gzip.NewReader(&p.file)
		if err != nil {
			return 0, p.fault(err)
		}
		p.zr = zr
	}
	n, err := p.zr.Read(b)
	p.out += int64(n)
	if p.out > maxDocument && p.out/maxUnpacked > p.file.n {
		return n, &gzipFault{text: fmt.Sprintf("is compressed more than %d to 1 beyond the first %d MiB, as no honest file is", maxUnpacked, maxDocument>>20)}
	}
	return n, p.fault(err)
}

func (p *packed) fault(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF) && p.zr != nil, p.file.err != nil && !errors.Is(p.file.err, io.EOF):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &gzipFault{text: "the gzip data breaks off", torn: true}
	case errors.Is(err, gzip.ErrHeader) && p.out > 0:
		return &gzipFault{text: "something else stands behind the gzip data", torn: true}
	}
	return &gzipFault{text: fmt.Sprintf("the gzip data is damaged (%v)", err)}
}

// counted counts what is read of a file and remembers how it ended.
type counted struct {
	r   *bufio.Reader
	n   int64
	err error
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.err = err
	return n, err
}

// ReadByte keeps the decoder from reading ahead through a buffer of its own.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	c.err = err
	return b, err
}

// otherwise names what a file is that is packed otherwise than by gzip; empty if it
// does not look so.
func otherwise(head []byte) string {
	for _, k := range []struct {
		at          int
		magic, says string
	}{
		{0, "PK\x03\x04", "a zip archive"},
		{0, "BZh", "compressed by bzip2"},
		{0, "\xfd7zXZ\x00", "compressed by xz"},
		{0, "\x28\xb5\x2f\xfd", "compressed by zstd"},
		{0, "\x1f\x8b\x08", "compressed by gzip twice"},
		{257, "ustar", "a tar archive"},
	} {
		if len(head) >= k.at && bytes.HasPrefix(head[k.at:], []byte(k.magic)) {
			return k.says
		}
	}
	return ""
}
