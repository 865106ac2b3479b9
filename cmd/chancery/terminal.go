package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"chancery/cmd/chancery/control"
)

// terminalOf asks what the outputs are. Color only on a terminal and without
// NO_COLOR (no-color.org: any value but the empty one).
func terminalOf(out, err io.Writer, getenv func(string) string) control.Terminal {
	var t control.Terminal
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		t.Out = true
		t.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			t.Width, t.Height = int(ws.Col), int(ws.Row)
		}
	}
	if f, ok := err.(*os.File); ok {
		t.Err = isatty.IsTerminal(f.Fd())
	}
	return t
}
