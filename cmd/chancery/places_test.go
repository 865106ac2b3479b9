package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// OPS-11: the service manager's directories, the first of a list, before the
// configuration's; the flag before all; XDG last, where a relative value is none.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name                string
		flag, config, env   string
		data, socket        string
		flagSocket, control string
	}{
		{name: "nothing but a home", env: "HOME=/home/u", data: "/home/u/.local/share/chancery", socket: "/home/u/.local/share/chancery/control.sock"},
		{name: "XDG", env: "HOME=/home/u XDG_DATA_HOME=/x", data: "/x/chancery", socket: "/x/chancery/control.sock"},
		{name: "a relative XDG value is ignored", env: "HOME=/home/u XDG_DATA_HOME=x/y", data: "/home/u/.local/share/chancery", socket: "/home/u/.local/share/chancery/control.sock"},
		{name: "configuration", env: "HOME=/home/u", config: "/d", data: "/d", socket: "/d/control.sock"},
		{name: "service manager", env: "HOME=/home/u STATE_DIRECTORY=/s RUNTIME_DIRECTORY=/r", config: "/d", data: "/s", socket: "/r/control.sock"},
		{name: "several of each", env: "STATE_DIRECTORY=/s:/s2 RUNTIME_DIRECTORY=/r:/r2", data: "/s", socket: "/r/control.sock"},
		{name: "flag", flag: "/f", config: "/d", env: "STATE_DIRECTORY=/s", data: "/f", socket: "/f/control.sock"},
		{name: "control of the configuration", control: "/c.sock", env: "STATE_DIRECTORY=/s RUNTIME_DIRECTORY=/r", data: "/s", socket: "/c.sock"},
		{name: "socket by the environment", control: "/c.sock", env: "STATE_DIRECTORY=/s CHANCERY_SOCKET=/e.sock", data: "/s", socket: "/e.sock"},
		{name: "socket by flag", flagSocket: "/f.sock", control: "/c.sock", env: "STATE_DIRECTORY=/s CHANCERY_SOCKET=/e.sock", data: "/s", socket: "/f.sock"},
	} {
		env := map[string]string{}
		for kv := range strings.FieldsSeq(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		getenv := func(k string) string { return env[k] }
		conf := defaultConfig()
		conf.DataDir, conf.Server.Control = c.config, c.control
		dir, _, err := conf.dataDir(c.flag, getenv)
		if err != nil || dir != c.data {
			t.Errorf("%s: data in %q (%v), want %q", c.name, dir, err, c.data)
		}
		if got := conf.controlPath(c.flagSocket, dir, getenv); got != c.socket {
			t.Errorf("%s: socket %q, want %q", c.name, got, c.socket)
		}
	}
	conf := defaultConfig()
	if _, _, err := conf.dataDir("", func(string) string { return "" }); statusOf(err) != exitConfig {
		t.Errorf("without any place: %v", err)
	}
}

// OPS-11: the configuration is looked for at its places in order.
func TestConfigPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	put := func(path string) string {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := t.TempDir()
	env := map[string]string{"HOME": root, "CONFIGURATION_DIRECTORY": root + "/etc:" + root + "/other", "XDG_CONFIG_HOME": "relative"}
	look := func() string {
		name, err := findConfig("", func(k string) string { return env[k] })
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, path := range []string{root + "/etc/config.toml", root + "/.config/chancery/config.toml", "config.toml"} { // each before the one above
		if put(path); look() != path {
			t.Errorf("found %q, want %q", look(), path)
		}
	}
	env["CHANCERY_CONFIG"] = "/named"
	if got := look(); got != "/named" {
		t.Errorf("found %q, want the one that is named", got)
	}
}

// OPS-10: a credential is read from the service manager's directory, anew each time,
// by a name that leads nowhere else; the configuration that asks for one that is
// not there is told so.
func TestCredential(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "c"))
	if got := credential("blog"); got != "" {
		t.Errorf("without a directory: %q", got)
	}
	for path, text := range map[string]string{"c/blog": "Basic one\n", "outside": "secret"} {
		if err := os.MkdirAll(filepath.Join(dir, "c"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := credential("blog"); got != "Basic one" {
		t.Errorf("read %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "c/blog"), []byte("Basic two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := credential("blog"); got != "Basic two" {
		t.Errorf("after a change: %q", got)
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "c/link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../outside", "link", filepath.Join(dir, "outside"), ".", ""} { // SEC-28
		if got := credential(name); got != "" {
			t.Errorf("credential(%q) = %q", name, got)
		}
	}
	c, err := parseConfig("my.toml", []byte("[[source]]\nid = \"a\"\nurl = \"https://a.example/\"\ncredential = \"blog\"\n[[source]]\nid = \"b\"\nurl = \"https://b.example/\"\ncredential = \"none\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w := c.withoutSecret(); len(w) != 1 || !strings.HasPrefix(w[0], `my.toml:5: source b: there is no credential "none"`) {
		t.Errorf("warnings %q", w)
	}
}
