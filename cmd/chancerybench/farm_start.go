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

// farmPlan says which farm to start. Each feed has 20 posts.
type farmPlan struct {
	Program string // the folder of the farm's source, or the farm's program
	Feeds   int
	Seed    uint64 // 0: the farm's own
	Faults  string // as the farm takes them
	Life    time.Duration
}

// startFarm starts a farm at a free port, its files in dir.
func startFarm(ctx context.Context, plan farmPlan, dir string) (*feedFarm, error) {
	bin, err := farmProgram(ctx, plan.Program, dir)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	args := []string{"-port", strconv.Itoa(port), "-feeds", strconv.Itoa(plan.Feeds), "-hosts", "50", "-items", "20", "-lifetime", plan.Life.String()}
	if plan.Faults != "" {
		args = append(args, "-faults", plan.Faults)
	}
	if plan.Seed != 0 {
		args = append(args, "-seed", strconv.FormatUint(plan.Seed, 10))
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

// farmProgram is the farm's program; that of a folder is built into dir.
func farmProgram(ctx context.Context, path, dir string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the feed farm: %w", err)
	}
	if !info.IsDir() {
		return filepath.Abs(path)
	}
	bin, err := filepath.Abs(filepath.Join(dir, "feedfarm"))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, ".")
	build.Dir = path
	if b, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the feed farm in %s: %w: %s", path, err, b)
	}
	return bin, nil
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
