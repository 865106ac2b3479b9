// Chancery polls feeds, keeps every post and every version of it in an archive,
// tags them with topics, and publishes a feed for each topic.
//
// The commands, the configuration and the addresses are described in the
// repository's README and in docs; "chancery help" lists the commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(chancery()) }

// chancery is the process: its arguments, its streams, its signals.
func chancery() int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals // a second signal does not wait (CONFORMANCE OPS-22)
		os.Exit(exitFailed)
	}()
	p := &program{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		terminal: terminalOf(os.Stdout, os.Stderr, os.Getenv),
		files:    processFiles{os.Stdin},
	}
	return p.run(ctx)
}
