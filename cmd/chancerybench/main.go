// Command chancerybench measures the whole system on made data. Each part is a
// subcommand that makes what it needs from a seed, so that a run can be repeated,
// and prints figures with the bound that they are held to (docs/figures.md).
//
//	chancerybench search -posts 1000000
//	chancerybench archive -posts 1000000
//	chancerybench feeds
//	chancerybench farm -farm http://127.0.0.1:8088
//	chancerybench load -farm ../shared/feedfarm
//	chancerybench stories -farm ../shared/feedfarm -seed 1,2,3
//	chancerybench soak -feedfarm ../shared/feedfarm -for 2h
//
// CPU time is of the whole process, garbage collection included; wall times on a
// shared machine are upper limits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chancerybench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// run is the program without its process.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("say which part to measure: search, archive, farm, feeds, load, stories or soak")
	}
	switch args[0] {
	case "search":
		return runSearch(ctx, args[1:], out)
	case "archive":
		return runArchive(ctx, args[1:], out)
	case "farm":
		return runFarm(ctx, args[1:], out)
	case "feeds":
		return runFeeds(ctx, args[1:], out)
	case barePart: // started by feeds
		return runBare(os.Stdin, out)
	case "load":
		return runLoad(ctx, args[1:], out)
	case "stories":
		return runStories(ctx, args[1:], out)
	case "soak":
		return runSoak(ctx, args[1:], out)
	}
	return fmt.Errorf("no part is called %q; there are: search, archive, farm, feeds, load, stories, soak", args[0])
}

// cpu is what the process has used so far.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // cannot fail for the process itself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
