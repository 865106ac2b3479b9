package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chancery/cmd/chancery/control"
	"chancery/cmd/chancery/systemd"
	"chancery/store"
)

// program is one command line being carried out: in a process of its own, or
// inside the daemon on behalf of a client of the control socket.
type program struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	terminal control.Terminal
	files    control.Files
	flags    globalFlags

	inside  *daemon // set while running inside the daemon
	unknown string  // a command that help was asked for and that there is not
	began   bool    // a command's own code was reached: faults are not of usage any more
	config  *Config // as read, once
}

type globalFlags struct {
	config, data, socket, logLevel, logFormat string
}

// run carries the command line out and returns the exit status.
func (p *program) run(ctx context.Context) int {
	if p.inside == nil {
		p.out = &resultWriter{p.out}
	}
	root := p.root() //nolint:contextcheck // cobra carries the context to the commands
	root.SetArgs(p.args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && p.unknown != "" {
		err = fmt.Errorf("unknown command %q for %q", p.unknown, cmd.CommandPath())
	}
	if err == nil {
		return exitDone
	}
	_, flagged := errors.AsType[*pflag.NotExistError](err)
	err = inWords(err)
	if flagged && strings.Contains(cmd.Use, "QUERY") {
		err = fmt.Errorf("%w; a query that begins with - stands behind --", err)
	}
	if _, marked := errors.AsType[*exitError](err); !p.began && !marked && !isOutput(err) {
		err = usageError("%w\nrun \"%s --help\" for what it takes", err, cmd.CommandPath())
	}
	status := statusOf(err)
	if status != exitInterrupted {
		explain(p.err, err)
		return status
	}
	if p.inside != nil && !errors.Is(context.Cause(ctx), control.ErrHungUp) {
		p.note("the daemon is stopping and ended the command before it was done; what it had stored stays")
		return exitUnavailable
	}
	return status
}

// root is the tree of commands.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "chancery",
		Short: "Follow blogs, keep every post, and publish feeds of the topics you care about",
		Long: `Chancery polls feeds, keeps every post and every version of it in an archive,
tags them with topics, and publishes a feed for each topic.

"chancery demo" shows all of it on a pretend web. Then:

  chancery config default > config.toml    your own configuration
  chancery sources add https://example.org/
  chancery serve                           and subscribe to http://127.0.0.1:8080/`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return &exitError{status: exitUsage}
		},
	}
	root.SetOut(p.out) // before the completions, which keep it
	f := root.PersistentFlags()
	f.StringVar(&p.flags.config, "config", "", "configuration `FILE`")
	f.StringVar(&p.flags.data, "data", "", "data `DIR`ectory")
	f.StringVar(&p.flags.socket, "socket", "", "control socket of the daemon (`PATH`)")
	f.StringVar(&p.flags.logLevel, "log-level", "", "debug, info, warn or error (default info for serve and demo, else warn)")
	f.StringVar(&p.flags.logFormat, "log-format", "", "text, json or journal (default journal where the service manager gave one, else text; lines that go to the journal begin with their priority)")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "read", Title: "Read the archive:"},
		&cobra.Group{ID: "write", Title: "Put in and decide:"},
		&cobra.Group{ID: "care", Title: "Take care:"},
	)
	for _, g := range []struct {
		id   string
		cmds []*cobra.Command
	}{
		{"run", []*cobra.Command{p.serveCommand(), p.pollCommand(), p.demoCommand()}},
		{"read", []*cobra.Command{p.searchCommand(), p.showCommand(), p.exportCommand()}},
		{"write", []*cobra.Command{p.importCommand(), p.sourcesCommand(), p.topicsCommand(), p.itemsCommand(), p.tokensCommand()}},
		{"care", []*cobra.Command{p.statusCommand(), p.selfscoreCommand(), p.verifyCommand(), p.proveCommand(), p.backupCommand(), p.restoreCommand(), p.compactCommand(), p.reindexCommand(), p.reparseCommand(), p.configCommand(), p.versionCommand(), p.manCommand()}},
	} {
		for _, c := range g.cmds {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.Version = versionText()
	root.SetVersionTemplate("chancery {{.Version}}\n")
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if rest := cmd.Flags().Args(); cmd.HasSubCommands() && len(rest) > 0 {
			p.unknown = rest[0]
			return
		}
		help(cmd, args)
	})
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command takes",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("unknown command %q for %q", strings.Join(args, " "), cmd.Root().CommandPath())
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	})
	root.SetHelpCommandGroupID("care")
	root.SetCompletionCommandGroupID("care")
	root.InitDefaultCompletionCmd()
	return root
}

var (
	badValue = regexp.MustCompile(`^invalid argument "(.*)" for "(?:-\w, )?(--[a-z-]+)" flag: (.*)$`)
	oneOf    = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)
)

// inWords says what the libraries for flags say in the words of the program.
func inWords(err error) error {
	if m := badValue.FindStringSubmatch(err.Error()); m != nil {
		want := "what it takes"
		switch {
		case strings.Contains(m[3], "ParseInt"):
			want = "a whole number"
		case strings.Contains(m[3], "duration"):
			want = `a duration such as "30s", "15m" or "24h"`
		case strings.Contains(m[3], "ParseBool"):
			want = "true or false"
		}
		return fmt.Errorf("%s %q is not %s", m[2], m[1], want)
	}
	if m := oneOf.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("--%s exclude each other", strings.Join(strings.Fields(m[1]), " and --"))
	}
	return err
}

// local is a command that concerns only the process it is typed in; the daemon
// refuses to run it for a client.
func (p *program) local(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.began = true
		if p.inside != nil {
			return usageError("%s does not run inside the daemon", cmd.CommandPath())
		}
		return run(cmd.Context(), args)
	}
}

// alone is a local command that needs the configuration but no archive: a draft
// of it can be tried while the daemon runs on another.
func (p *program) alone(run func(ctx context.Context, e *Env, args []string) error) func(*cobra.Command, []string) error {
	return p.local(func(ctx context.Context, args []string) error {
		c, err := p.loadConfig()
		if err != nil {
			return err
		}
		return run(ctx, &Env{Config: c, Out: p.out, Err: p.err, Terminal: p.terminal, Files: p.files}, args)
	})
}

// access is what a command does to the archive.
type access int

const (
	reads        access = iota // never creates an archive
	readsIfThere               // works without one too: Env.Archive is nil then
	writes                     // creates one where there is none
	changes                    // writes to one that is there
)

// archive is a command that needs the archive: inside the daemon if there is
// one, else on the files, opened for the length of the command.
func (p *program) archive(a access, run func(ctx context.Context, e *Env, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.began = true
		ctx := cmd.Context()
		if p.inside != nil {
			e := p.inside.env(p)
			if err := e.canWrite(ctx, a); err != nil {
				return err
			}
			return run(ctx, e, args)
		}
		c, err := p.loadConfig()
		if err != nil {
			return p.forwardAnyway(ctx, err)
		}
		e, status, err := p.openOrForward(ctx, c, a)
		if err != nil {
			return err
		}
		if e == nil {
			return quietly(status)
		}
		if err = e.canWrite(ctx, a); err == nil {
			err = run(ctx, e, args)
		}
		if err != nil {
			e.made.removeUnused(context.WithoutCancel(ctx), e.Archive)
		}
		if cerr := e.close(); err == nil {
			err = cerr
		}
		return err
	}
}

// canWrite is an error where a command would write and the archive is too damaged for it.
func (e *Env) canWrite(ctx context.Context, a access) error {
	if a == reads || a == readsIfThere {
		return nil
	}
	if err := e.Archive.Change(ctx, nil); errors.Is(err, store.ErrReadOnly) {
		return err
	}
	return nil
}

// forwardAnyway has a running daemon carry the command out by its own configuration,
// where the file on disk has faults. The socket is where flags, environment and
// defaults say.
func (p *program) forwardAnyway(ctx context.Context, fault error) error {
	c := defaultConfig()
	dir, _, err := c.dataDir(p.flags.data, p.getenv)
	if err != nil {
		return fault
	}
	socket := c.controlPath(p.flags.socket, dir, p.getenv)
	conn, err := control.Dial(ctx, socket)
	if err != nil {
		return fault
	}
	_ = conn.Close()
	p.note("warning: the configuration cannot be used (\"chancery config check\" says why); the daemon's own is in force")
	status, _, err := p.forward(ctx, socket)
	if err != nil {
		return err
	}
	return quietly(status)
}

// quietly is the exit status of a command whose messages were printed already.
func quietly(status int) error {
	if status == exitDone {
		return nil
	}
	return &exitError{status: status}
}

// loadConfig reads the configuration once for a command line.
func (p *program) loadConfig() (*Config, error) {
	if p.config == nil {
		c, err := readConfigFile(p.flags.config, p.getenv)
		if err != nil {
			return nil, err
		}
		p.config = c
	}
	return p.config, nil
}

// logger makes the log that the global flags ask for.
func (p *program) logger(level slog.Level) (*slog.Logger, error) {
	if p.flags.logLevel != "" {
		if err := level.UnmarshalText([]byte(strings.ToUpper(p.flags.logLevel))); err != nil {
			return nil, usageError("--log-level %q is not debug, info, warn or error", p.flags.logLevel)
		}
	}
	o := &slog.HandlerOptions{Level: level}
	text := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, o) }
	asJSON := func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, o) }
	f, ok := p.err.(*os.File)
	onJournal := ok && systemd.OnJournal(f, p.getenv("JOURNAL_STREAM"))
	lines := func(of func(io.Writer) slog.Handler) *slog.Logger {
		if onJournal {
			return slog.New(systemd.Prefixed(p.err, of))
		}
		return slog.New(of(p.err))
	}
	switch format := p.flags.logFormat; {
	case format == "text", format == "" && !onJournal:
		return lines(text), nil
	case format == "json":
		return lines(asJSON), nil
	case format == "journal", format == "":
		j, err := systemd.NewJournal(systemd.JournalSocket, level)
		if err == nil {
			return slog.New(j), nil
		}
		if format == "" { // it was not asked for by name: lines get there, too
			return lines(text), nil
		}
		return nil, failWith(exitUnavailable, err)
	}
	return nil, usageError("--log-format %q is not text, json or journal", p.flags.logFormat)
}

// note tells the person at the terminal something that is no result.
func (p *program) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.err, "chancery: "+format+"\n", args...)
}

// exactly is cobra.ExactArgs with the names of what is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", strings.Join(names[len(args):], " and "))
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// atLeastOne wants one or more of something.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing", name)
		}
		return nil
	}
}

// group is a command that only has others below it.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		}
		_ = cmd.Help()
		return &exitError{status: exitUsage}
	}}
	c.AddCommand(subs...)
	return c
}
