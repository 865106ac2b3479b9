// Package feedtest is for tests of every room: it finds the reference material that
// lies beside the repository and the programs that check our documents, and measures
// processor time.
package feedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Reference is the path of a file or folder of ../shared, the folder of reference
// material beside the repository. The test is skipped where that is absent.
func Reference(t testing.TB, path ...string) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			t.Fatal("no go.mod above the test")
		}
		root = up
	}
	full := filepath.Join(filepath.Dir(root), "shared", filepath.Join(path...))
	if _, err := os.Stat(full); err != nil {
		t.Skipf("the reference material is not beside the repository: %v", err)
	}
	return full
}
