package systemd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// event is what a datagram says of the kind of event and of the place in the source.
var event = regexp.MustCompile(`MESSAGE_ID=([0-9a-f]{32})\nCODE_FILE=\S*journal_test.go\nCODE_LINE=\d+\nCODE_FUNC=\S+TestJournal\n`)

// OPS-12, OPS-13: a record is one datagram with a message for people, a priority
// and a field for each attribute; newlines use the length-prefixed form; names
// follow the journal's rules; long values are cut.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	j, err := NewJournal(path, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(j).With("part", "fetch").WithGroup("g")
	log.Debug("not logged")
	log.Warn("polled", "feed-id", "a b", "9", 1, slog.Group("h", "message", "x"))
	want := "MESSAGE=polled part=fetch g.feed-id=\"a b\" g.9=1 g.h.message=x\nPRIORITY=4\nSYSLOG_IDENTIFIER=chancery\n" +
		"PART=fetch\nG_FEED_ID=a b\nG_9=1\nG_H_MESSAGE=x\n"
	told := receive(t, c)
	if m := event.FindStringSubmatch(told); m == nil || m[1] != messageID("polled") || m[1] == messageID("other") {
		t.Errorf("no place and id of the event in %q", told)
	}
	if got := event.ReplaceAllString(told, ""); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	slog.New(j).Error("e", "error", errors.New("two\nlines"), "message", "m", "_x", "y", "", "z")
	want = "MESSAGE=e error=\"two\\nlines\" message=m _x=y =z\nPRIORITY=3\nSYSLOG_IDENTIFIER=chancery\n" +
		"ERROR\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\nXMESSAGE=m\nX_X=y\nX=z\n"
	if got := event.ReplaceAllString(receive(t, c), ""); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b := make([]byte, 1<<20)
	slog.New(j).Info("long", "v", strings.Repeat("é", 1<<20))
	n, err := c.Read(b)
	if err != nil || n > 4*maxField || !strings.Contains(string(b[:n]), "…\n") {
		t.Errorf("a long value: %d bytes, %v", n, err)
	}
}

// OPS-12: the journal is used only if stderr leads there.
func TestOnJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", sys.Dev, sys.Ino): true, fmt.Sprintf("%d:%d", sys.Dev, sys.Ino+1): false, "": false, "x:y": false,
	} {
		if got := OnJournal(f, stream); got != want {
			t.Errorf("OnJournal(%q) = %v, want %v", stream, got, want)
		}
	}
}
