package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"chancery/aggregator/blogtest"
	"chancery/feed/feedtest"
)

// OPS-15, OPS-16: what systemd itself makes of the unit.
func TestUnitScore(t *testing.T) {
	analyze := feedtest.Program(t, "systemd-analyze")
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "../../packaging/chancery.service").CombinedOutput()
	m := regexp.MustCompile(`Overall exposure level[^:]*: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Skipf("systemd-analyze gives no score here: %v\n%s", err, out)
	}
	if score, err := strconv.ParseFloat(string(m[1]), 64); err != nil || score > 1.2 {
		t.Errorf("score %s, at most 1.2\n%s", m[1], out)
	}
}

// OPS-18: the drop-in denies what the dialer's own guard denies (SEC-02), and lets
// through this machine's resolver and the public internet.
func TestAddressGuard(t *testing.T) {
	b, err := os.ReadFile("../../packaging/address-guard.conf")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]netip.Prefix{}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			for p := range strings.FieldsSeq(value) {
				rules[key] = append(rules[key], netip.MustParsePrefix(p))
			}
		}
	}
	in := func(key, addr string) bool {
		return slices.ContainsFunc(rules[key], func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(addr)) })
	}
	for addr := range strings.FieldsSeq(`0.1.2.3 10.1.2.3 100.64.0.1 100.127.255.254 127.0.0.2 169.254.169.254 172.16.0.1 172.31.255.254 192.0.0.8 192.0.2.1
		192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.254 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
		:: ::127.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:a00:1:: 3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1`) {
		if !in("IPAddressDeny", addr) || in("IPAddressAllow", addr) {
			t.Errorf("%s is not denied", addr)
		}
	}
	for addr := range strings.FieldsSeq("127.0.0.1 ::1 127.0.0.53") {
		if !in("IPAddressAllow", addr) {
			t.Errorf("%s is not allowed", addr)
		}
	}
	for addr := range strings.FieldsSeq("1.1.1.1 8.8.8.8 100.63.255.255 172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1111 2a00:1450::1") {
		if in("IPAddressDeny", addr) {
			t.Errorf("%s is denied", addr)
		}
	}
}

// OPS-19, OPS-21: the daemon at work (polling, serving, indexing, reloading, a
// backup) makes no system call that the unit's filter denies, opens no kind of
// socket that RestrictAddressFamilies denies, maps no memory writable and
// executable, writes nowhere but in its two directories, and starts no program.
func TestSystemCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the daemon under strace")
	}
	strace, analyze := feedtest.Program(t, "strace"), feedtest.Program(t, "systemd-analyze")
	denied := callsOf(t, analyze, "@privileged", "@resources")
	allowed := callsOf(t, analyze, "@system-service")
	maps.DeleteFunc(allowed, func(name string, _ bool) bool { return denied[name] })

	dir := t.TempDir()
	program := filepath.Join(dir, "chancery")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, program); err != nil { // TestMain goes by the name
		t.Fatal(err)
	}
	world := blogtest.New(time.Now().UTC())
	web := httptest.NewServer(world.Handler())
	defer web.Close()
	config := filepath.Join(dir, "my.toml")
	text := "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n[fetch]\ncontact = \"x\"\nallow_networks = [\"127.0.0.0/8\"]\nmin_interval = \"0s\"\nhost_delay = \"0s\"\n"
	for _, s := range world.SourcesAt(web.URL) {
		text += fmt.Sprintf("[[source]]\nid = %q\nurl = %q\n", s.ID, s.URL)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	state, run, trace := filepath.Join(dir, "state"), filepath.Join(dir, "run"), filepath.Join(dir, "trace")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "STATE_DIRECTORY="+state, "RUNTIME_DIRECTORY="+run, "CHANCERY_CONFIG="+config)
	daemon := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-y", "-s", "200", "-o", trace, program, "serve")
	daemon.Env = env
	stderr, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var log bytes.Buffer
	await := func(pattern string) string {
		t.Helper()
		re := regexp.MustCompile(pattern)
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
			if m := re.FindStringSubmatch(lines.Text()); m != nil {
				return m[len(m)-1]
			}
		}
		t.Skipf("the daemon does not run under strace here:\n%s", &log)
		return ""
	}
	ready := await(`msg=ready (.*)`)
	public := regexp.MustCompile(`public=(\S+)`).FindStringSubmatch(ready)[1]
	metrics := regexp.MustCompile(`metrics=(\S+)`).FindStringSubmatch(ready)[1]
	pid, err := strconv.Atoi(regexp.MustCompile(`pid=(\d+)`).FindStringSubmatch(ready)[1])
	if err != nil {
		t.Fatal(err)
	}
	await(`msg=polled .*new=[1-9]`)
	go func() { // so that it never waits for a reader of its log
		for lines.Scan() {
		}
	}()
	for _, url := range []string{public + "/feeds/all.atom", public + "/", public + "/search?q=iran", public + "/checkpoint", metrics + "/metrics", metrics + "/readyz"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	for _, args := range [][]string{{"status"}, {"search", "iran"}, {"backup", filepath.Join(dir, "backup")}, {"export", "-o", filepath.Join(dir, "all.jsonl")}, {"verify", "--deep"}, {"poll", "--all"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		cancel()
	}
	_ = syscall.Kill(pid, syscall.SIGHUP)
	_ = syscall.Kill(pid, syscall.SIGUSR1)
	_ = syscall.Kill(pid, syscall.SIGTERM)
	if err := daemon.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	checkTrace(t, trace, allowed, state, run)
}

// callsOf are the system calls of systemd's groups.
func callsOf(t *testing.T, analyze string, groups ...string) map[string]bool {
	t.Helper()
	calls := map[string]bool{}
	for len(groups) > 0 {
		out, err := exec.CommandContext(t.Context(), analyze, append([]string{"syscall-filter", "--no-pager"}, groups...)...).Output()
		if err != nil {
			t.Skipf("systemd-analyze syscall-filter: %v", err)
		}
		groups = nil
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, " ") {
				continue
			}
			switch name := strings.TrimSpace(line); {
			case strings.HasPrefix(name, "@"):
				groups = append(groups, name)
			case name != "" && !strings.HasPrefix(name, "#"):
				calls[name] = true
			}
		}
	}
	return calls
}

var (
	tracedCall = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?([a-z0-9_]+)[( ]`)
	tracedOpen = regexp.MustCompile(`openat\([^,]*, "([^"]*)", ([A-Z_|]+)`)
)

// checkTrace holds what strace wrote to the unit.
func checkTrace(t *testing.T, trace string, allowed map[string]bool, writable ...string) {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen, started := map[string]bool{}, 0
	for line := range strings.Lines(string(b)) {
		m := tracedCall.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := m[1]
		switch {
		case name == "execve" && !strings.Contains(line, "resumed"):
			started++
		case name == "fchown" && os.Geteuid() == 0: // SQLite does it for root alone, which the service is not
		case !allowed[name] && !seen[name]:
			t.Errorf("the unit denies %s:\n%s", name, line)
		case name == "socket" && !regexp.MustCompile(`socket\(AF_(INET|INET6|UNIX),|resumed`).MatchString(line):
			t.Errorf("the unit denies this kind of socket:\n%s", line)
		case (name == "mmap" || name == "mprotect") && strings.Contains(line, "PROT_WRITE") && strings.Contains(line, "PROT_EXEC"):
			t.Errorf("the unit denies memory that is writable and executable:\n%s", line)
		}
		seen[name] = true
		if m := tracedOpen.FindStringSubmatch(line); m != nil && regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT`).MatchString(m[2]) {
			inside := m[1] == "/dev/null" || !strings.HasPrefix(m[1], "/") || // below a directory that is open
				strings.HasPrefix(m[1], filepath.Join(os.TempDir(), "chancery-")) // PrivateTmp
			for _, dir := range writable {
				inside = inside || m[1] == dir || strings.HasPrefix(m[1], dir+"/")
			}
			if !inside {
				t.Errorf("written outside of the service's directories:\n%s", line)
			}
		}
	}
	if started != 1 {
		t.Errorf("%d programs were started, want the daemon alone", started)
	}
	if len(seen) < 20 {
		t.Errorf("only %d system calls were seen: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

// OPS-21: built as README and the packages build it, the program is static: no
// interpreter, no library.
func TestStatic(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	program := filepath.Join(t.TempDir(), "chancery")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Skipf("no ELF here: %v", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a segment %v", p.Type)
		}
	}
}
