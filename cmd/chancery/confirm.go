package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
)

// asks reports whether there is a person to ask: standard input is a terminal. Where
// nobody can answer, the command line itself is the answer.
func (p *program) asks() bool {
	f, ok := p.in.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// confirm asks the person at the terminal about something that cannot be undone.
func (p *program) confirm(what string) error {
	if _, err := fmt.Fprintf(p.err, "%s\nIt cannot be undone. Go on? [y/N] ", what); err != nil {
		return err
	}
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return failWith(exitIO, err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return failWith(exitFailed, errors.New("nothing was changed"))
}
