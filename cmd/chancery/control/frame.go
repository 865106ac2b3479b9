package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A connection carries frames in both directions: one byte of kind, four bytes
// of length (big-endian), the payload.
type kind byte

// The client sends kindRequest first; from then on it only answers. The daemon
// sends all others, and kindExit last.
const (
	kindRequest kind = 'Q' // client: Request as JSON
	kindAnswer  kind = 'A' // client: answer as JSON, to kindOpen, kindCreate, kindWrite, kindCommit, kindAbort
	kindData    kind = 'D' // client: bytes that were read, to kindRead; empty at the end of the file
	kindStdout  kind = 'o' // daemon: bytes for standard output
	kindStderr  kind = 'e' // daemon: bytes for standard error
	kindExit    kind = 'x' // daemon: exit as JSON; ends the conversation
	kindOpen    kind = 'r' // daemon: fileRequest as JSON; answered
	kindRead    kind = 'n' // daemon: fileRequest; answered by kindData or, on a fault, kindAnswer
	kindCreate  kind = 'w' // daemon: fileRequest; answered
	kindWrite   kind = 'b' // daemon: four bytes of file number, then bytes; answered
	kindCommit  kind = 'c' // daemon: fileRequest; answered; the file is in place
	kindAbort   kind = 'a' // daemon: fileRequest; answered; the file is given up
)

// maxFrame bounds a frame: a request is a few kilobytes, data comes in chunks.
const maxFrame = 1 << 20

// chunk is how many bytes of a file or of output go into one frame.
const chunk = 64 << 10

type fileRequest struct {
	File      uint32 `json:"file"`
	Name      string `json:"name,omitempty"`
	Exclusive bool   `json:"exclusive,omitempty"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Class string `json:"class,omitempty"` // errorClasses, so that exit statuses survive the socket
}

type exit struct {
	Status int `json:"status"`
}

var errFrame = errors.New("the other side of the control socket does not speak this program's protocol")

func writeFrame(w io.Writer, k kind, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("frame of %d bytes: %w", len(payload), errFrame)
	}
	b := make([]byte, 5, 5+len(payload))
	b[0] = byte(k)
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	_, err := w.Write(append(b, payload...)) // one write: frames of several goroutines never mix
	return err
}

func writeJSON(w io.Writer, k kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, k, b)
}

func readFrame(r io.Reader) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, errFrame
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	return kind(head[0]), payload, nil
}
