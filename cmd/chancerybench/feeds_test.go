package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The bare server is a process of its own: this one, under another name.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == barePart {
		if err := runBare(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// The feeds part runs from the archive to the last figure, and no answer is wrong.
// Figures of a short time on a busy machine mean nothing, so they are not judged.
func TestFeedsRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	var out strings.Builder
	err := run(t.Context(), []string{"feeds", "-posts", "500", "-for", "200ms", "-expressions", "50", "-dir", t.TempDir()}, &out)
	if err != nil && !strings.HasSuffix(err.Error(), "over their bounds") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"mixed feeds: wrong or failed answers", "304: daemon / bare", "gzip: daemon / bare", "slow readers: requests a second", "RssAnon before them"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "WRONG") {
		t.Error(out.String())
	}
}
