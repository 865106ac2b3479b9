package feedtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// InCI reports whether everything that tests ask for must be installed.
func InCI() bool { return os.Getenv("CHANCERY_CI") != "" }

// Missing skips a test for want of something; in CI, which installs all of it, the
// test fails.
func Missing(t testing.TB, what string) {
	t.Helper()
	if InCI() {
		t.Fatalf("%s is not installed, and in CI it must be (.ci/run installs it)", what)
	}
	t.Skipf("%s is not installed (.ci/run installs it)", what)
}

// Program is the path of a program that a test runs, under the first of its names that
// is there; see [Missing].
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, strings.Join(names, " or "))
	return ""
}
