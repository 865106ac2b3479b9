package feedtest

import (
	"syscall"
	"testing"
	"time"
)

// CPU is the processor time that this process has used, its own and the system's
// for it. A bound on it holds on a busy machine too, where one on the clock does not.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
