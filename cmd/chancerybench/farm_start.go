package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// feedFarm is a farm that this program started.
type feedFarm struct {
	address string
	cmd     *exec.Cmd
}

// startFarm builds the farm whose program is in a folder, into dir, and starts it at
// a free port.
func startFarm(ctx context.Context, source, dir string, feeds int, faults string, life time.Duration) (*feedFarm, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "feedfarm"))
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, ".")
	build.Dir = source
	if b, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the feed farm in %s: %w: %s", source, err, b)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	args := []string{"-port", strconv.Itoa(port), "-feeds", strconv.Itoa(feeds), "-hosts", "50", "-items", "20", "-lifetime", life.String()}
	if faults != "" {
		args = append(args, "-faults", faults)
	}
	f := &feedFarm{address: fmt.Sprintf("http://127.0.0.1:%d", port), cmd: exec.CommandContext(ctx, bin, args...)}
	f.cmd.Dir, f.cmd.Stderr = dir, os.Stderr
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		_, err := truthOf(ctx, f.address)
		if err == nil {
			return f, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("the feed farm does not answer: %w", err), f.stop())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// stop ends the farm and waits for it.
func (f *feedFarm) stop() error {
	_ = f.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	var exit *exec.ExitError
	if err := f.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}
