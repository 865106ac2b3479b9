package systemd

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"testing"
)

// OPS-14: each line begins with its priority; attributes and groups are kept.
func TestPrefixed(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(Prefixed(&b, func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
	})).With("part", "x").WithGroup("g")
	log.Debug("no")
	log.Info("one", "a", 1)
	log.Warn("two")
	log.Error("three")
	log.Log(t.Context(), slog.LevelError+4, "four")
	want := "<6>level=INFO msg=one part=x g.a=1\n<4>level=WARN msg=two part=x\n<3>level=ERROR msg=three part=x\n<3>level=ERROR+4 msg=four part=x\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
	b.Reset()
	_, _ = io.WriteString(&prefixWriter{&b, []byte("<4>")}, "a\nb\n")
	if !regexp.MustCompile(`^<4>a\n<4>b\n$`).Match(b.Bytes()) {
		t.Errorf("two lines are %q", &b)
	}
}
