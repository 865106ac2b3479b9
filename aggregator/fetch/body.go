package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	errWire    = errors.New("body over the limit")
	errDecoded = errors.New("decoded body over the limit")
	errRatio   = errors.New("decompression bomb")
	errBusy    = errors.New("no memory for a large body in time")
)

// body is what was read of a response.
type body struct {
	data    []byte
	wire    int64    // bytes as sent
	coding  string   // as undone, "br" or "gzip, br"; empty for none
	flags   []string // leniencies
	release func()   // gives the place of a large body back; nil for a small one
}

// wireReader counts what comes from the connection, keeps it within its limit,
// and restarts the stall timer at each byte.
type wireReader struct {
	r     io.Reader
	n     int64
	max   int64
	stall *time.Timer
	idle  time.Duration
}

func (w *wireReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if n > 0 {
		w.stall.Reset(w.idle)
	}
	if w.n > w.max {
		return n, errWire
	}
	return n, err
}

// layer keeps one decoder's output within the limits, so that a coding inside
// another cannot hide a bomb.
type layer struct {
	r    io.Reader
	n    int64
	wire *wireReader
	cfg  *Config
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.n += int64(n)
	switch {
	case l.n > l.cfg.MaxBytes:
		return n, errDecoded
	case l.n > 1<<20 && l.n > l.cfg.MaxRatio*l.wire.n: // F-97: 200:1 past the first MiB
		return n, errRatio
	}
	return n, err
}

// read takes in the body of resp within the limits. cut bounds it further if
// positive: a longer body ends there instead of being refused.
func (c *Client) read(ctx context.Context, cancel context.CancelCauseFunc, u *url.URL, resp *http.Response, cut int64) (*body, error) {
	defer resp.Body.Close()
	if resp.ContentLength > c.cfg.MaxWireBytes && cut == 0 {
		return nil, c.bodyError(ctx, u, resp, nil, errWire)
	}
	names, err := codings(resp.Header)
	if err != nil {
		return nil, c.bodyError(ctx, u, resp, nil, err)
	}
	stall := time.AfterFunc(c.cfg.IdleTimeout, func() { cancel(errStalled) })
	defer stall.Stop()
	wire := &wireReader{r: resp.Body, max: c.cfg.MaxWireBytes, stall: stall, idle: c.cfg.IdleTimeout}
	b := &body{}
	var r io.Reader = wire
	for _, name := range slices.Backward(names) { // undone in reverse order (F-33)
		dec, ignored, err := decoder(name, r)
		if err != nil {
			return nil, c.bodyError(ctx, u, resp, b, err)
		}
		if closer, ok := dec.(io.Closer); ok {
			defer closer.Close()
		}
		if ignored {
			b.flags = append(b.flags, name+"-ignored")
		}
		r = &layer{r: dec, wire: wire, cfg: &c.cfg}
	}
	b.coding = strings.Join(names, ", ")

	size := int64(32 << 10)
	if len(names) == 0 && resp.ContentLength >= 0 {
		size = min(resp.ContentLength, smallBody) + 1 // one more, so that the end is seen without growing
	}
	b.data = make([]byte, 0, size)
	for {
		if len(b.data) == cap(b.data) {
			if err := c.grow(ctx, stall, b); err != nil {
				return nil, c.bodyError(ctx, u, resp, b, err)
			}
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		b.wire = wire.n
		if cut > 0 && int64(len(b.data)) >= cut {
			b.data = b.data[:cut]
			return b, nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, c.bodyError(ctx, u, resp, b, err)
		}
	}
	if resp.ContentLength >= 0 && wire.n < resp.ContentLength && len(names) == 0 {
		return nil, c.bodyError(ctx, u, resp, b, io.ErrUnexpectedEOF) // F-98, for transports that don't look
	}
	if len(names) > 0 {
		// What follows the coded stream is passed over, to the end of the message, so
		// that the connection can be used again and a cut is noticed.
		if _, err := io.Copy(io.Discard, io.LimitReader(wire, 64<<10)); err != nil {
			return nil, c.bodyError(ctx, u, resp, b, err)
		}
		b.wire = wire.n
	}
	return b, nil
}

// grow makes room for more. Above smallBody it needs one of the few places for
// large bodies, and waits for it; the server is not blamed for that.
func (c *Client) grow(ctx context.Context, stall *time.Timer, b *body) error {
	if cap(b.data) >= smallBody && b.release == nil {
		stall.Stop()
		select {
		case c.large <- struct{}{}:
		case <-ctx.Done():
			return errBusy
		}
		stall.Reset(c.cfg.IdleTimeout)
		b.release = sync.OnceFunc(func() { <-c.large })
	}
	next := int64(cap(b.data)) * 2
	if cap(b.data) < smallBody {
		next = min(next, smallBody)
	}
	next = min(next, max(c.cfg.MaxBytes, c.cfg.MaxWireBytes)+1)
	grown := make([]byte, len(b.data), max(next, int64(cap(b.data))+1))
	copy(grown, b.data)
	b.data = grown
	return nil
}

// bodyError classes what went wrong while reading, and gives back b's place.
func (c *Client) bodyError(ctx context.Context, u *url.URL, resp *http.Response, b *body, err error) *Error {
	if b != nil && b.release != nil {
		b.release()
	}
	e := &Error{URL: show(u), Status: resp.StatusCode, Err: err}
	switch {
	case errors.Is(err, errWire):
		e.Class, e.Text = TooLarge, fmt.Sprintf("the body is over %d bytes (max_wire_bytes)", c.cfg.MaxWireBytes)
	case errors.Is(err, errDecoded):
		e.Class, e.Text = TooLarge, fmt.Sprintf("the decoded body is over %d bytes (max_bytes)", c.cfg.MaxBytes)
	case errors.Is(err, errRatio):
		e.Class, e.Text = Bomb, fmt.Sprintf("the body decodes to more than %d times what was sent (max_ratio)", c.cfg.MaxRatio)
	case errors.Is(err, errBusy) && !errors.Is(context.Cause(ctx), errTotal):
		e.Class, e.Text = Canceled, "canceled"
	case errors.Is(err, errBusy):
		e.Class, e.Text = Busy, "too many large bodies at a time (max_memory)"
	case errors.Is(err, errCoding):
		e.Class, e.Text = Coding, err.Error()
	case context.Cause(ctx) != nil:
		e = c.fail(ctx, u, err)
		e.Status = resp.StatusCode
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Class, e.Text = Truncated, "the body ended before its end"
	case resp.Header.Get("Content-Encoding") != "" && !isNet(err):
		e.Class, e.Text = Coding, fmt.Sprintf("the body is not sound %s: %s", resp.Header.Get("Content-Encoding"), tail(err))
	default:
		e = c.fail(ctx, u, err)
		e.Status = resp.StatusCode
	}
	return e
}

// hold binds the place of a large body to the response: until Release, or until
// the response is garbage.
func (r *Response) hold(release func()) {
	if release == nil {
		return
	}
	r.release = release
	runtime.AddCleanup(r, func(f func()) { f() }, release)
}
