package bolt

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"chancery/store"
	"chancery/store/storetest"
)

// An archive that is closed while the writer is at a full volume is closed with that
// volume sealed: the last commit is not the next program's to end.
func TestCloseWhileSealing(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := Open(t.Context(), dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "alpha", URL: "https://alpha.example/"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	err = s.submit(t.Context(), &job{care: func() error {
		go func() { ended <- s.Close() }()
		<-s.quit                         // it is marked as closed
		s.opts.VolumeSize, s.grew = 1, 1 // the writer's own
		return nil
	}})
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("it logged\n%s", log.String())
	}
	if _, err := os.Stat(s.live().path); err != nil || len(s.vols) != 2 {
		t.Errorf("%d volumes, %v; want the full one and the next", len(s.vols), err)
	}
}
