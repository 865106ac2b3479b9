package main

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// OPS-15, OPS-19, OPS-20: the shipped unit says what the list of the hardening
// requirement asks for. (A static user takes the place of DynamicUser, so that a
// group can use the control socket; RootDirectory is the packager's.)
func TestUnit(t *testing.T) {
	f, err := os.Open("../../packaging/chancery.service")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	has := map[string][]string{}
	section := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == "[Service]" && !strings.HasPrefix(line, "#") {
			has[key] = append(has[key], value)
		}
	}
	for key, value := range map[string]string{
		"Type": "notify-reload", "NotifyAccess": "main", "WatchdogSec": "60", "Restart": "on-failure",
		"RestartPreventExitStatus": "64 65 77 78", "User": "chancery", "Group": "chancery",
		"StateDirectory": "chancery", "StateDirectoryMode": "0700", "RuntimeDirectory": "chancery", "UMask": "0077",
		"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectSystem": "strict",
		"ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "PrivateUsers": "yes", "PrivateIPC": "yes",
		"PrivateMounts": "yes", "ProtectHostname": "yes", "ProtectClock": "yes", "ProtectKernelTunables": "yes",
		"ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "ProtectControlGroups": "yes",
		"ProtectProc": "invisible", "ProcSubset": "pid", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
		"RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "RemoveIPC": "yes",
		"LockPersonality": "yes", "MemoryDenyWriteExecute": "yes", "KeyringMode": "private",
		"SystemCallArchitectures": "native", "DevicePolicy": "closed", "MemoryMax": "1G", "TasksMax": "256",
	} {
		if got := has[key]; len(got) != 1 || got[0] != value {
			t.Errorf("%s=%q, want %q", key, got, value)
		}
	}
	if want := []string{"@system-service", "~@privileged @resources"}; !slices.Equal(has["SystemCallFilter"], want) {
		t.Errorf("SystemCallFilter=%q, want %q", has["SystemCallFilter"], want)
	}
}
