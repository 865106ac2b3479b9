package index

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how many times its processor time a search may take on the clock: on a
// machine that does much else it waits for its turn at a core, and refusing it then
// would punish it for what others do. Yet who waits must hear something.
const patience = 4

// allowance is the time that a search may take. Until soft nothing but the clock need
// be asked, as no thread takes more than the clock shows. The zero value is no bound.
type allowance struct {
	soft, hard time.Time
	cpu        time.Duration // of the thread, from which on it is over
}

// allow begins an allowance for what this goroutine does. It keeps to its thread until
// done is called, so that the thread's time is its own.
func allow(most time.Duration, asked time.Time) (a allowance, done func()) {
	runtime.LockOSThread()
	now := time.Now()
	return allowance{soft: now.Add(most), hard: asked.Add(patience * most), cpu: threadTime() + most}, runtime.UnlockOSThread
}

// over reports whether the time is used up.
func (a *allowance) over() bool {
	if a.soft.IsZero() {
		return false
	}
	now := time.Now()
	return now.After(a.soft) && (now.After(a.hard) || threadTime() >= a.cpu)
}

// threadTime is the processor time that the thread has taken.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 1<<63 - 1 // no such clock: the one on the wall decides
	}
	return time.Duration(t.Nano())
}
