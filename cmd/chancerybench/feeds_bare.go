package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// bareServer is the bound of serving: a process that has nothing but header fields
// and bytes in memory, and compares one entity tag.
type bareServer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	address string
}

// barePart is the subcommand that is the bare server. It reads what to serve from
// its input and ends when that ends.
const barePart = "bare-feeds"

// barePage is a page as it is handed over.
type barePage struct {
	Path   string
	Header http.Header
	Body   []byte
}

func startBare(ctx context.Context, pages []page) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bareServer{cmd: exec.CommandContext(ctx, self, barePart)}
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.cmd.Stderr = os.Stderr
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	list := make([]barePage, len(pages))
	for i, p := range pages {
		list[i] = barePage{p.path, p.header, p.body}
	}
	if err := gob.NewEncoder(b.in).Encode(list); err != nil {
		b.stop()
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the bare server does not say where it is: %w", err)
	}
	b.address = strings.TrimSpace(line)
	return b, nil
}

func (b *bareServer) stop() {
	_ = b.in.Close()
	_ = b.cmd.Wait() // it has nothing to say
}

// runBare is the bare server.
func runBare(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	var list []barePage
	if err := gob.NewDecoder(r).Decode(&list); err != nil {
		return err
	}
	pages := make(map[string]*barePage, len(list))
	for i := range list {
		pages[list[i].Path] = &list[i]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := pages[r.URL.Path]
		if p == nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		maps.Copy(h, p.Header)
		if tag := r.Header["If-None-Match"]; len(tag) == 1 && tag[0] == p.Header["Etag"][0] {
			delete(h, "Content-Length")
			delete(h, "Content-Type")
			delete(h, "Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(p.Body) // the client's loss
	})}
	go func() {
		_, _ = io.Copy(io.Discard, r) // until whoever started it is done
		_ = srv.Close()
	}()
	fmt.Fprintln(out, l.Addr())
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
