package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"chancery/aggregator/blogtest"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chancery": func() { os.Exit(chancery()) }})
}

// The program as its users meet it: each script runs the real main, in processes
// of its own, against a pretend web on loopback.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some hundred processes")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for name, value := range map[string]string{
				"HOME": e.WorkDir, "TZ": "UTC", "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "NO_COLOR": "1",
				"CHANCERY_CONFIG": "", "CHANCERY_SOCKET": "", "STATE_DIRECTORY": "", "RUNTIME_DIRECTORY": "",
			} {
				e.Setenv(name, value)
			}
			e.Values["world"] = &webOfScript{}
			e.Values["daemons"] = map[string]*daemonOfScript{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "world": world, "advance": advance, "requests": requests,
			"daemon": startDaemon, "signal": signalDaemon, "logs": logs, "stopped": stopped,
			"get": get, "validated": validated, "capture": capture, "holds": holds, "letgo": letgo, "waiting": waiting,
			"spoil": spoil, "manager": manager, "notified": notified, "silent": silent, "asked": asked,
			"unwritable": setMode(0o444, 0o555), "writable": setMode(0o644, 0o755), "limited": limited, "damage": damage,
			"guarded": guarded, "unsaid": unsaid, "pack": pack,
		},
	})
}

// spoil PATTERN: overwrites all but the first page of files.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	list, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(list) == 0 {
		ts.Fatalf("no file %s", args[0])
	}
	for _, name := range list {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		ts.Check(err)
		st, err := f.Stat()
		ts.Check(err)
		const page = 16 << 10
		if n := st.Size() - page; n > 0 {
			_, err = f.WriteAt(bytes.Repeat([]byte{0xA5}, int(n)), page)
			ts.Check(err)
		}
		ts.Check(f.Close())
	}
}

// exits STATUS COMMAND…: the command ends with that status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// webOfScript is the pretend web of one script, served on loopback.
type webOfScript struct {
	world  *blogtest.World
	server *httptest.Server
	held   *os.File // the lock that holds took
	silent *silentServer
}

// world FILE: starts the web and writes a configuration for all its blogs; $WEB
// is its address.
func world(ts *testscript.TestScript, _ bool, args []string) {
	w := ts.Value("world").(*webOfScript)
	w.world = blogtest.New(time.Now().UTC())
	w.server = httptest.NewServer(w.world.Handler())
	ts.Defer(w.server.Close)
	ts.Setenv("WEB", w.server.URL)
	c := new(strings.Builder)
	fmt.Fprintf(c, `[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
[fetch]
contact = "https://example.org/about"
allow_networks = ["127.0.0.0/8"]
min_interval = "0s"
host_delay = "0s"
`)
	for _, topic := range []string{"iran", "iraq", "mek"} {
		match := map[string]string{"iran": "iran OR iranian OR tehran", "iraq": "iraq OR iraqi OR baghdad", "mek": `=MEK OR "camp ashraf" OR "mojahedin e khalq"`}[topic]
		fmt.Fprintf(c, "[[topic]]\nid = %q\nname = %q\nmatch = '''%s'''\n", topic, strings.ToUpper(topic), match)
	}
	for _, s := range w.world.SourcesAt(w.server.URL) {
		if s.Trouble == "" {
			fmt.Fprintf(c, "[[source]]\nid = %q\nurl = %q\n", s.ID, s.URL)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(c.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("blogs.opml"), w.world.OPMLAt(w.server.URL), 0o644))
}

// advance: the pretend web goes a step on.
func advance(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value("world").(*webOfScript).world.Advance(time.Now().UTC())
}

// requests: how often the pretend web was asked, on standard output.
func requests(ts *testscript.TestScript, _ bool, _ []string) {
	_, err := fmt.Fprintln(ts.Stdout(), len(ts.Value("world").(*webOfScript).world.Requests()))
	ts.Check(err)
}

// daemonOfScript is a `chancery serve` in the background.
type daemonOfScript struct {
	manager *managerOfScript // of the entry "manager" only

	cmd   *exec.Cmd
	ended chan error

	mu    sync.Mutex // guards log
	grown *sync.Cond
	log   bytes.Buffer
	seen  int // how much of log earlier waits have passed
	eof   bool
}

// manager: plays the service manager. Daemons started from then on get its
// notify socket, a watchdog, and an open listener for the public side.
func manager(ts *testscript.TestScript, _ bool, _ []string) {
	m := &managerOfScript{path: filepath.Join(ts.MkAbs("."), "notify")}
	var err error
	m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	ts.Check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	m.public, err = l.(*net.TCPListener).File()
	ts.Check(err)
	ts.Setenv("GIVEN", "http://"+l.Addr().String())
	ts.Check(l.Close()) // the file goes on listening
	ts.Defer(func() { _, _ = m.conn.Close(), m.public.Close() })
	ts.Value("daemons").(map[string]*daemonOfScript)["manager"] = &daemonOfScript{manager: m}
}

type managerOfScript struct {
	path   string
	conn   *net.UnixConn
	public *os.File
}

// notified REGEXP: waits for a datagram like that to the service manager.
func notified(ts *testscript.TestScript, _ bool, args []string) {
	m := ts.Value("daemons").(map[string]*daemonOfScript)["manager"].manager
	b := make([]byte, 4096)
	ts.Check(m.conn.SetReadDeadline(time.Now().Add(time.Minute)))
	for {
		n, err := m.conn.Read(b)
		ts.Check(err)
		ts.Logf("[notified] %q", b[:n])
		if regexp.MustCompile(args[0]).Match(b[:n]) {
			return
		}
	}
}

// daemon NAME ARGS…: starts `chancery ARGS… serve`, waits for its ready line, and
// sets $PUBLIC and $METRICS to its addresses.
func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	d := launch(ts, args)
	line, ok := d.await(regexp.MustCompile(`msg=ready .*`))
	if !ok {
		ts.Fatalf("daemon %s ended before it was ready:\n%s", args[0], d.log.String())
	}
	for name, key := range map[string]string{"PUBLIC": "public", "METRICS": "metrics"} {
		if m := regexp.MustCompile(key + `=(\S+)`).FindStringSubmatch(line); m != nil {
			ts.Setenv(name, m[1])
		}
	}
}

// waiting NAME ARGS…: starts a daemon without waiting for anything.
func waiting(ts *testscript.TestScript, _ bool, args []string) { launch(ts, args) }

func launch(ts *testscript.TestScript, args []string) *daemonOfScript {
	d := &daemonOfScript{ended: make(chan error, 1)}
	d.grown = sync.NewCond(&d.mu)
	d.cmd = exec.Command("chancery", append(args[1:], "serve")...)
	path, err := exec.LookPath("chancery")
	ts.Check(err)
	d.cmd.Path, d.cmd.Err = path, nil
	d.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "TZ", "PATH", "WORK", "TMPDIR", "GOCOVERDIR", "CREDENTIALS_DIRECTORY"} {
		d.cmd.Env = append(d.cmd.Env, name+"="+ts.Getenv(name))
	}
	if m := ts.Value("daemons").(map[string]*daemonOfScript)["manager"]; m != nil {
		// The variables name the daemon's own process id, which a shell can tell.
		d.cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@"`, path}, d.cmd.Args[1:]...)
		d.cmd.Path = "/bin/sh"
		d.cmd.ExtraFiles = []*os.File{m.manager.public}
		d.cmd.Env = append(d.cmd.Env, "NOTIFY_SOCKET="+m.manager.path, "WATCHDOG_USEC=200000", "LISTEN_FDS=1", "LISTEN_FDNAMES=http")
	}
	stderr, err := d.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(d.cmd.Start())
	go func() {
		r := bufio.NewReader(stderr)
		for {
			line, err := r.ReadString('\n')
			d.mu.Lock()
			d.log.WriteString(line)
			d.eof = err != nil
			d.mu.Unlock()
			d.grown.Broadcast()
			if err != nil {
				d.ended <- d.cmd.Wait()
				return
			}
		}
	}()
	ts.Defer(func() {
		_ = d.cmd.Process.Kill()
		d.await(nil)
		ts.Logf("[log of daemon %s]\n%s", args[0], d.log.String())
	})
	ts.Value("daemons").(map[string]*daemonOfScript)[args[0]] = d
	return d
}

// await waits for a line of the log beyond those that were waited for before;
// with nil it waits for the end of the log.
func (d *daemonOfScript) await(re *regexp.Regexp) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if re != nil {
			if at := re.FindIndex(d.log.Bytes()[d.seen:]); at != nil {
				line := string(d.log.Bytes()[d.seen+at[0] : d.seen+at[1]])
				d.seen += at[1]
				return line, true
			}
		}
		if d.eof {
			return "", false
		}
		d.grown.Wait()
	}
}

func daemonNamed(ts *testscript.TestScript, name string) *daemonOfScript {
	d := ts.Value("daemons").(map[string]*daemonOfScript)[name]
	if d == nil {
		ts.Fatalf("no daemon %s", name)
	}
	return d
}

// signal NAME TERM|HUP|KILL|USR1|PIPE|QUIT: sends a signal.
func signalDaemon(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "PIPE": syscall.SIGPIPE, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1}[args[1]]
	ts.Check(daemonNamed(ts, args[0]).cmd.Process.Signal(sig))
}

// logs NAME REGEXP [N]: waits until the daemon has logged N (1) more lines like that.
func logs(ts *testscript.TestScript, _ bool, args []string) {
	d, n := daemonNamed(ts, args[0]), 1
	if len(args) > 2 {
		var err error
		n, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	for range n {
		if _, ok := d.await(regexp.MustCompile(args[1])); !ok {
			ts.Fatalf("the daemon ended and never logged %q:\n%s", args[1], d.log.String())
		}
	}
}

// stopped NAME STATUS: waits for the daemon's end.
func stopped(ts *testscript.TestScript, _ bool, args []string) {
	d := daemonNamed(ts, args[0])
	d.await(nil)
	<-d.ended
	if got := strconv.Itoa(d.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("exit status %s, want %s:\n%s", got, args[1], d.log.String())
	}
}

// get STATUS URL [HEADER: VALUE]: asks once; the answer's headers and body are
// standard output.
func get(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	ts.Check(resp.Header.Write(ts.Stdout()))
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("%s: status %d, want %s", args[1], resp.StatusCode, args[0])
	}
}

// validated URL: asking again with the ETag of the answer gives 304, once the
// daemon has published what it polled.
func validated(ts *testscript.TestScript, _ bool, args []string) {
	etag := ""
	for range 1000 {
		req, err := http.NewRequest(http.MethodGet, args[0], nil)
		ts.Check(err)
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		ts.Check(err)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusNotModified {
			return
		}
		etag = resp.Header.Get("Etag")
	}
	ts.Fatalf("%s: never 304", args[0])
}

// capture NAME REGEXP: sets $NAME to the first group found in standard output.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no match for %q in standard output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// holds DIR: keeps the lock of an archive, as a command at work does, until the
// script ends.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(filepath.Join(ts.MkAbs(args[0]), "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	ts.Check(err)
	ts.Check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	ts.Check(f.Truncate(0))
	_, err = fmt.Fprintf(f, "%d chancery export\n", os.Getpid())
	ts.Check(err)
	ts.Defer(func() { _ = f.Close() })
	ts.Value("world").(*webOfScript).held = f
}

// letgo: gives up the lock that holds took.
func letgo(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value("world").(*webOfScript).held.Close())
}

// silentServer is a web server that takes requests and answers none.
type silentServer struct{ asked chan struct{} }

// silent: starts one, and puts its address for STUCK into stuck.toml.
func silent(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &silentServer{asked: make(chan struct{}, 1)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = bufio.NewReader(c).ReadString('\n')
			select {
			case s.asked <- struct{}{}:
			default:
			}
		}
	}()
	ts.Defer(func() { _ = l.Close() })
	name := ts.MkAbs("stuck.toml")
	b, err := os.ReadFile(name)
	ts.Check(err)
	ts.Check(os.WriteFile(name, bytes.ReplaceAll(b, []byte("STUCK"), []byte("http://"+l.Addr().String()+"/feed")), 0o600))
	ts.Value("world").(*webOfScript).silent = s
}

// asked: waits until the silent server has been asked.
func asked(ts *testscript.TestScript, _ bool, _ []string) {
	<-ts.Value("world").(*webOfScript).silent.asked
}

// guarded: starts a server that gives a feed only to who has the credential and,
// but for /alone, the header of secrets.txtar; $GUARDED is its address.
func guarded(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic Sesame-1" || r.URL.Path != "/alone" && !strings.HasPrefix(r.Header.Get("X-Key"), "Sesame-") {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = io.WriteString(w, `<rss version="2.0"><channel><title>G</title><link>https://g.example/</link><description>d</description><item><title>T</title><guid>1</guid></item></channel></rss>`)
	}))
	ts.Defer(s.Close)
	ts.Setenv("GUARDED", s.URL)
}

// unsaid NAME REGEXP: nothing of the kind is in the daemon's log, from its start on.
func unsaid(ts *testscript.TestScript, _ bool, args []string) {
	d := daemonNamed(ts, args[0])
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := regexp.MustCompile(".*" + args[1] + ".*").Find(d.log.Bytes()); m != nil {
		ts.Fatalf("the log has %q:\n%s", args[1], m)
	}
}
