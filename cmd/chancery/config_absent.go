package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// absent names what the configuration names and the machine does not have, a line
// each: it works without, but not as it was meant. credentials says whether this
// process gets them as the daemon does.
func (c *Config) absent(credentials bool) []string {
	w := c.withoutCommand()
	if text := notDirectory(c.DataDir); text != "" {
		w = append(w, fmt.Sprintf("%s: data_dir: %s", c.place("data_dir"), text))
	}
	for _, s := range []struct{ key, path string }{
		{"server.listen", socketPath(c.Server.Listen)},
		{"server.metrics_listen", socketPath(c.Server.MetricsListen)},
		{"server.control", c.Server.Control},
	} {
		if text := notSocket(s.path); text != "" {
			w = append(w, fmt.Sprintf("%s: %s: %s", c.place(s.key), strings.TrimPrefix(s.key, "server."), text))
		}
	}
	if credentials {
		w = append(w, c.withoutSecret()...)
	}
	return w
}

// withoutCommand says why the command of [notify] cannot be run, as far as that can
// be told without running it.
func (c *Config) withoutCommand() []string {
	if len(c.Notify.Command) == 0 {
		return nil
	}
	name := c.Notify.Command[0]
	_, err := exec.LookPath(name)
	why := ""
	switch {
	case err == nil && !filepath.IsAbs(name) && strings.Contains(name, "/"), errors.Is(err, exec.ErrDot):
		why = "is not an absolute path; the daemon need not run in this directory"
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		why = "is in no directory of $PATH"
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		why = "may not be executed"
	default:
		why = withoutPath(err).Error()
		if cause, ok := errors.AsType[*exec.Error](err); ok {
			why = withoutPath(cause.Err).Error()
		}
	}
	return []string{fmt.Sprintf("%s: notify.command: %q %s: nobody is told but the log", c.place("notify.command"), name, why)}
}

// notDirectory says why there can be no directory at path; empty if there is one, or
// it can be made.
func notDirectory(path string) string {
	for at := path; at != "" && at != "/" && at != "."; at = filepath.Dir(at) {
		st, err := os.Stat(at)
		switch {
		case err == nil && st.IsDir():
			return ""
		case err == nil && at == path:
			return fmt.Sprintf("%s is no directory", path)
		case err == nil:
			return fmt.Sprintf("%s cannot be made, for %s is no directory", path, at)
		}
	}
	return ""
}

// notSocket says what is at path that a socket cannot replace.
func notSocket(path string) string {
	if path == "" {
		return ""
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSocket == 0 {
		return fmt.Sprintf("%s is there and is no socket", path)
	}
	return notDirectory(filepath.Dir(path))
}

func socketPath(listen string) string {
	path, ok := strings.CutPrefix(listen, "unix:")
	if !ok {
		return ""
	}
	return path
}
