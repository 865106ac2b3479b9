package aggregator

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"chancery/feed/itemjson"
)

// lineReader reads lines up to a bound, in time that grows with what it reads.
type lineReader struct {
	r    *bufio.Reader
	n    int    // of line, from 1; after an error of the one that could not be read
	line []byte // without its end; good until the next
	err  error  // what ended the reading before the end
}

func (l *lineReader) next() bool {
	l.n++
	for l.line = l.line[:0]; ; {
		part, err := l.r.ReadSlice('\n')
		if l.line = append(l.line, part...); len(bytes.TrimRight(l.line, "\r\n")) > itemjson.MaxLine {
			l.err = bufio.ErrTooLong
			return false
		}
		switch {
		case err == nil:
			l.line = bytes.TrimRight(l.line, "\r\n")
			return true
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return len(l.line) > 0
		default:
			l.err = err
			return false
		}
	}
}
