package systemd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// JournalSocket is where the journal takes native messages (systemd-journald(8)).
const JournalSocket = "/run/systemd/journal/socket"

// maxField bounds a value, so that a message always fits into a datagram
// (CONFORMANCE SEC-20, OPS-13).
const maxField = 4 << 10

// Journal is a slog handler that writes to the journal in its native protocol:
// the message for people with its attributes, and each attribute as a field of
// its own, in capitals, for journalctl FIELD=value.
type Journal struct {
	conn   *net.UnixConn
	level  slog.Leveler
	prefix string // of groups, with dots
	attrs  []slog.Attr
}

// NewJournal connects to the journal at path.
func NewJournal(path string, level slog.Leveler) (*Journal, error) {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Journal{conn: c, level: level}, nil
}

// OnJournal reports whether f is what the service manager connected to the
// journal: $JOURNAL_STREAM names its device and inode (CONFORMANCE OPS-12).
func OnJournal(f *os.File, stream string) bool {
	var dev, ino uint64
	if n, err := fmt.Sscanf(stream, "%d:%d", &dev, &ino); n != 2 || err != nil {
		return false
	}
	st, err := f.Stat()
	if err != nil {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Dev == dev && sys.Ino == ino
}

// Enabled implements slog.Handler.
func (j *Journal) Enabled(_ context.Context, l slog.Level) bool { return l >= j.level.Level() }

// WithAttrs implements slog.Handler.
func (j *Journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *j
	with.attrs = slices.Clone(j.attrs)
	for _, a := range attrs {
		with.attrs = append(with.attrs, slog.Attr{Key: j.prefix + a.Key, Value: a.Value})
	}
	return &with
}

// WithGroup implements slog.Handler.
func (j *Journal) WithGroup(name string) slog.Handler {
	with := *j
	with.prefix += name + "."
	return &with
}

// Handle implements slog.Handler: one record is one datagram.
func (j *Journal) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	text := new(strings.Builder)
	text.WriteString(r.Message)
	var fields bytes.Buffer
	add := func(key string, v slog.Value) {
		value := clip(v.Resolve().String())
		fmt.Fprintf(text, " %s=%s", key, quoted(value))
		writeField(&fields, fieldName(key), value)
	}
	for _, a := range j.attrs {
		each(a.Key, a.Value, add)
	}
	r.Attrs(func(a slog.Attr) bool {
		each(j.prefix+a.Key, a.Value, add)
		return true
	})
	writeField(&b, "MESSAGE", clip(text.String()))
	writeField(&b, "PRIORITY", priority(r.Level))
	writeField(&b, "SYSLOG_IDENTIFIER", "chancery")
	writeField(&b, "MESSAGE_ID", messageID(r.Message))
	if r.PC != 0 {
		at, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		writeField(&b, "CODE_FILE", at.File)
		writeField(&b, "CODE_LINE", strconv.Itoa(at.Line))
		writeField(&b, "CODE_FUNC", at.Function)
	}
	b.Write(fields.Bytes())
	_, err := j.conn.Write(b.Bytes())
	return err
}

// messageID names a kind of event: messages are constant, what changes is in
// attributes. It stays the same from version to version as long as the words do, for
// journalctl MESSAGE_ID=… (CONFORMANCE OPS-12).
func messageID(message string) string {
	d := sha256.Sum256([]byte("chancery " + message))
	return hex.EncodeToString(d[:16])
}

// each takes groups apart.
func each(key string, v slog.Value, add func(string, slog.Value)) {
	v = v.Resolve()
	if v.Kind() != slog.KindGroup {
		add(key, v)
		return
	}
	for _, a := range v.Group() {
		each(key+"."+a.Key, a.Value, add)
	}
}

func clip(s string) string {
	if len(s) <= maxField {
		return s
	}
	return strings.ToValidUTF8(s[:maxField], "") + "…"
}

func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " =\"\n\t") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// priority is syslog's (RFC 5424 §6.2.1).
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "3"
	case l >= slog.LevelWarn:
		return "4"
	case l >= slog.LevelInfo:
		return "6"
	}
	return "7"
}

// fieldName makes a name that the journal takes: A to Z, digits and underscores,
// at most 64, a letter first. Names of ours that it has a meaning of its own for
// get a letter in front.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	if name == "" || name[0] == '_' || name[0] <= '9' || name == "MESSAGE" || name == "PRIORITY" {
		name = "X" + name
	}
	return name[:min(len(name), 64)]
}

// writeField writes a field: as a line, or length-prefixed where the value has
// newlines (CONFORMANCE OPS-13).
func writeField(b *bytes.Buffer, name, value string) {
	b.WriteString(name)
	if !strings.Contains(value, "\n") {
		b.WriteString("=" + value + "\n")
		return
	}
	b.WriteByte('\n')
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	b.WriteString(value + "\n")
}
