package systemd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
)

// Prefixed is a slog handler of lines that begin with their priority, "<4>", as
// whatever reads the standard error of a service understands it (sd-daemon(3),
// CONFORMANCE OPS-14). The handlers that write the lines are made by lines.
func Prefixed(w io.Writer, lines func(io.Writer) slog.Handler) slog.Handler {
	p := &prefixed{}
	for i := range p.by {
		p.by[i] = lines(&prefixWriter{w, []byte("<" + priority(slog.Level(4*i-4)) + ">")})
	}
	return p
}

// prefixed has a handler for each of slog's levels, from debug on.
type prefixed struct{ by [4]slog.Handler }

func (p *prefixed) of(l slog.Level) slog.Handler {
	return p.by[min(max((int(l)+4)/4, 0), len(p.by)-1)]
}

// Enabled implements slog.Handler.
func (p *prefixed) Enabled(ctx context.Context, l slog.Level) bool { return p.of(l).Enabled(ctx, l) }

// Handle implements slog.Handler.
func (p *prefixed) Handle(ctx context.Context, r slog.Record) error {
	return p.of(r.Level).Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (p *prefixed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return p.each(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (p *prefixed) WithGroup(name string) slog.Handler {
	return p.each(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (p *prefixed) each(change func(slog.Handler) slog.Handler) slog.Handler {
	with := &prefixed{}
	for i, h := range p.by {
		with.by[i] = change(h)
	}
	return with
}

// prefixWriter puts a prefix before what a handler writes, a record at a time, and
// before each further line of it: a text with lines is still one message's.
type prefixWriter struct {
	w      io.Writer
	prefix []byte
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	lines := bytes.TrimSuffix(b, []byte("\n"))
	out := append([]byte{}, p.prefix...)
	out = append(out, bytes.ReplaceAll(lines, []byte("\n"), append([]byte("\n"), p.prefix...))...)
	if _, err := p.w.Write(append(out, '\n')); err != nil {
		return 0, err
	}
	return len(b), nil
}
