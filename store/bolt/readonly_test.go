//go:build unix

package bolt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"chancery/store/bolt"
)

// OPS-26: a directory that cannot be written is ErrReadOnly or a refusal of the
// system that names the file; reading is possible.
func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 { // who may write everywhere
		asNobody(t)
		return
	}
	dir, model := filled(t, bolt.Options{})
	for _, d := range []string{filepath.Join(dir, "archive"), dir} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(d, 0o755) })
	}
	s := open(t, dir, bolt.Options{ReadOnly: true})
	same(t, s, model)
	if _, err := bolt.Open(t.Context(), filepath.Join(dir, "new"), bolt.Options{}); err == nil || !strings.Contains(err.Error(), "new") {
		t.Errorf("a new archive there: %v, want an error that names it", err)
	}
}

// asNobody has the test run once more, by a user without rights.
func asNobody(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copied := filepath.Join(dir, "test")
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} { // the first is the test's own, too
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	cmd := exec.CommandContext(t.Context(), copied, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env, cmd.Dir = append(os.Environ(), "TMPDIR="+dir), dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
