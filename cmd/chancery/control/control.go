// Package control lets a command run inside the daemon: the archive admits one
// process, so while the daemon has it, a command hands its command line over a
// Unix socket, the daemon runs the very same command with its open archive, and
// output and exit status come back.
//
// Files named on the command line belong to whoever typed it. The daemon never
// opens them: it asks the client, which opens only names that stand literally
// on its own command line, so a daemon cannot make a client read or write
// anything else. Only bytes cross the socket.
//
// A client that goes away cancels the context of its command. The socket is
// open to the daemon's user and group (mode 0660), and to root; the daemon asks
// the kernel who is there.
package control

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Request is what a client asks for.
type Request struct {
	Version  string   `json:"version"` // of the client's program
	Args     []string `json:"args"`    // the command line without the program's name
	Terminal Terminal `json:"terminal"`
}

// Terminal tells a command what its output goes to.
type Terminal struct {
	Out   bool `json:"out"`   // standard output is a terminal
	Err   bool `json:"err"`   // standard error is a terminal
	Color bool `json:"color"` // standard output may be colored
	Width int  `json:"width"` // columns; 0 unknown
	// Height is in lines; 0 unknown.
	Height int `json:"height,omitempty"`
}

// File is a file being written. It appears under its name, complete, by Commit,
// or not at all.
type File interface {
	io.Writer
	// Commit puts the file in place. The file cannot be used after it.
	Commit() error
	// Abort gives the file up. It does nothing after Commit.
	Abort()
}

// Files opens files for a command: those of the process itself, or across the
// socket those of the client.
type Files interface {
	// Open opens a file for reading; "-" is standard input.
	Open(name string) (io.ReadCloser, error)
	// Create begins a file. With exclusive it fails with [fs.ErrExist] where
	// something has that name already.
	Create(name string, exclusive bool) (File, error)
}

// errorClasses are the errors whose identity survives the socket.
var errorClasses = map[string]error{
	"not-exist":  fs.ErrNotExist,
	"exist":      fs.ErrExist,
	"permission": fs.ErrPermission,
	"deadline":   os.ErrDeadlineExceeded,
}

// ErrFile is wrapped by every error of a client's file, as the daemon sees it.
var ErrFile = errors.New("a file of the client")

// remoteError is an error of the client's, as the daemon sees it.
type remoteError struct {
	text  string
	class error // one of errorClasses, or ErrFile
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return []error{ErrFile, e.class} }

func answerOf(err error) answer {
	if err == nil {
		return answer{}
	}
	a := answer{Error: err.Error()}
	for name, class := range errorClasses {
		if errors.Is(err, class) {
			a.Class = name
		}
	}
	return a
}

func (a answer) err() error {
	if a.Error == "" {
		return nil
	}
	class, ok := errorClasses[a.Class]
	if !ok {
		class = ErrFile
	}
	return &remoteError{a.Error, class}
}
