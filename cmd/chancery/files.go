package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"chancery/cmd/chancery/control"
)

// processFiles are the files of this process: what the person who typed the
// command may read and write.
type processFiles struct{ in io.Reader }

// Open opens a file; "-" is standard input.
func (p processFiles) Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.in), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		_ = f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is a directory; name its files")}
	}
	return f, nil
}

// Create begins a file beside its final name.
func (p processFiles) Create(name string, exclusive bool) (control.File, error) {
	st, err := os.Stat(name)
	switch {
	case err == nil && exclusive:
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	case err == nil && st.IsDir():
		return nil, &fs.PathError{Op: "create", Path: name, Err: errors.New("is a directory")}
	case err == nil && !st.Mode().IsRegular(): // a pipe or a device has no "beside"
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &newFile{f: f, called: name}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil { // the person knows the file by its own name
		return nil, &fs.PathError{Op: "create", Path: name, Err: withoutPath(err)}
	}
	return &newFile{f: f, name: name, called: name, exclusive: exclusive}, nil
}

// newFile becomes the file of its name when it is whole.
type newFile struct {
	f         *os.File
	name      string // empty: f is the final file already
	called    string // on the command line
	exclusive bool
	done      bool
}

func (n *newFile) Write(p []byte) (int, error) {
	done, err := n.f.Write(p)
	if err != nil {
		err = &outputError{n.called, withoutPath(err)}
	}
	return done, err
}

func (n *newFile) Commit() error {
	if n.done {
		return fs.ErrClosed
	}
	n.done = true
	if n.name == "" {
		if err := n.f.Close(); err != nil {
			return &outputError{n.called, withoutPath(err)}
		}
		return nil
	}
	tmp := n.f.Name()
	err := errors.Join(n.f.Chmod(0o666&^umask()), n.f.Sync(), n.f.Close())
	if err == nil {
		if n.exclusive {
			err = os.Link(tmp, n.name) // unlike rename it does not replace
		} else {
			err = os.Rename(tmp, n.name)
		}
	}
	if err != nil || n.exclusive {
		_ = os.Remove(tmp)
	}
	if err != nil {
		return &outputError{n.called, withoutPath(err)}
	}
	syncDir(filepath.Dir(n.name))
	return nil
}

// syncDir makes names in a directory survive a power failure, as far as the file system
// can: a backup must not be gone that was said to be made. Not every one can, and not
// everybody may open every directory, so an error means nothing.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

func (n *newFile) Abort() {
	if n.done {
		return
	}
	n.done = true
	_ = n.f.Close()
	if n.name != "" {
		_ = os.Remove(n.f.Name())
	}
}

// umask is the process's file mode mask, which only setting can ask for.
func umask() os.FileMode {
	m := syscall.Umask(0o077)
	syscall.Umask(m)
	return os.FileMode(m)
}
