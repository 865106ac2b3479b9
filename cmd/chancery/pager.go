package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// errPagerGone: the person has read enough and left the pager.
var errPagerGone = errors.New("the pager has ended")

// pager shows output that is longer than the terminal a screen at a time, through
// another program, as git does; shorter output is printed as it is.
type pager struct {
	out     *os.File
	height  int
	command string
	env     []string

	buf   bytes.Buffer // until it is known how long the output is
	lines int
	short bool // it was printed as it is
	cmd   *exec.Cmd
	in    io.WriteCloser
}

// page sends the output of a search through a pager if it is a table on a terminal.
// What it returns ends that, and gives the error of the command as it then is.
func (p *program) page(o searchOptions) func(error) error {
	unchanged := func(err error) error { return err }
	w, ok := p.out.(*resultWriter)
	if !ok || p.inside != nil || !p.terminal.Out || p.terminal.Height == 0 || o.format != "table" || o.noPager || o.count {
		return unchanged
	}
	out, ok := w.w.(*os.File)
	command := pagerCommand(p.getenv)
	if !ok || command == "" {
		return unchanged
	}
	g := &pager{out: out, height: p.terminal.Height, command: command, env: pagerEnv(os.Environ(), p.getenv)}
	p.out = &resultWriter{g}
	return func(err error) error {
		p.out = w
		cerr := g.close()
		if errors.Is(err, errPagerGone) {
			return nil
		}
		if err == nil {
			err = cerr
		}
		return err
	}
}

// pagerCommand is what $PAGER says, else less where there is one. Empty and "cat" are
// none.
func pagerCommand(getenv func(string) string) string {
	command := strings.TrimSpace(getenv("PAGER"))
	if command == "cat" {
		return ""
	}
	if command == "" {
		if _, err := exec.LookPath("less"); err != nil {
			return ""
		}
		return "less"
	}
	if name := strings.Fields(command)[0]; !strings.ContainsAny(name, "$`\"'\\;&|<>()=~") {
		if _, err := exec.LookPath(name); err != nil {
			return "" // the shell would only say so, and the output be lost
		}
	}
	return command
}

// pagerEnv lets less and lv show colors, and less end by itself on a short text,
// unless the person has set them otherwise.
func pagerEnv(env []string, getenv func(string) string) []string {
	for name, value := range map[string]string{"LESS": "FRX", "LV": "-c"} {
		if getenv(name) == "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (g *pager) Write(b []byte) (int, error) {
	if g.short {
		return g.out.Write(b)
	}
	if g.in != nil {
		n, err := g.in.Write(b)
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			err = errPagerGone
		}
		return n, err
	}
	g.buf.Write(b)
	g.lines += bytes.Count(b, []byte("\n"))
	if g.lines < g.height {
		return len(b), nil
	}
	if err := g.start(); err != nil { // there is no such program: without it, then
		g.short = true
		if _, err := g.out.Write(g.buf.Bytes()); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	held := g.buf.Bytes()
	g.buf = bytes.Buffer{}
	if _, err := g.Write(held); err != nil {
		return 0, err
	}
	return len(b), nil
}

// start runs the pager. It is the person's to end, so a signal or the end of the
// command does not.
func (g *pager) start() error {
	cmd := exec.Command("sh", "-c", g.command)
	cmd.Stdout, cmd.Stderr, cmd.Env = g.out, os.Stderr, g.env
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.cmd, g.in = cmd, in
	return nil
}

// close prints what was short, or waits until the person has read.
func (g *pager) close() error {
	if g.cmd == nil {
		if g.short || g.buf.Len() == 0 {
			return nil
		}
		_, err := g.out.Write(g.buf.Bytes())
		return err
	}
	_ = g.in.Close() // gone, if it cannot be closed
	_ = g.cmd.Wait() // how a pager ends is of no interest
	return nil
}
