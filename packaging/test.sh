#!/usr/bin/env bash
# Installs the .deb in a clean Debian root, edits three lines as a newcomer would, gets a
# feed from a poll of a server on loopback, and removes it again. Needs root, mmdebstrap,
# python3 and curl.
#   packaging/test.sh DIST_DIRECTORY
set -euo pipefail
dist=$(cd "$1" && pwd)
deb=$(find "$dist" -name "chancery_*_$(dpkg --print-architecture).deb")
[ -n "$deb" ] || { echo "no .deb for this machine in $dist" >&2; exit 1; }
work=$(mktemp -d)
root=$work/root
pids=()
finish() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	wait || true
	umount "$root/proc" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
say() { echo "package: $*"; }
die() { say "$*" >&2; exit 1; }

say "making a clean root"
mmdebstrap --quiet --variant=minbase --include=ca-certificates "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >/dev/null
mount -t proc proc "$root/proc"
find "$root" -xdev -not -path "$root/proc*" | sort >"$work/before"
cp "$deb" "$root/root/chancery.deb"

say "installing"
chroot "$root" dpkg --install /root/chancery.deb
rm "$root/root/chancery.deb"
chroot "$root" getent passwd chancery >/dev/null || die "no user chancery"
chroot "$root" getent group chancery >/dev/null || die "no group chancery"
chroot "$root" /usr/bin/chancery version
[ -s "$root/usr/share/man/man1/chancery.1.gz" ] || [ -d "$root/etc/dpkg/dpkg.cfg.d" ] || die "no manual page"
[ "$(chroot "$root" dpkg-query -f '${Conffiles}' -W chancery | awk '{print $1}')" = /etc/chancery/config.toml ] || die "config.toml is no conffile"

say "editing three lines"
mkdir "$work/site"
cat >"$work/site/feed.xml" <<-'XML'
	<?xml version="1.0"?><rss version="2.0"><channel><title>A blog</title><link>http://blog.example/</link><description>d</description>
	<item><title>Talks in Tehran</title><link>http://blog.example/1</link><guid>http://blog.example/1</guid>
	<description>Iran and Iraq talked about the Mujahedin-e Khalq at Camp Ashraf.</description></item></channel></rss>
XML
python3 -u - "$work/site" >"$work/site.port" <<-'PY' &
	import functools, http.server, sys
	handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
	server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
	print(server.server_port, flush=True)
	sys.stderr = open("/dev/null", "w")
	server.serve_forever()
PY
pids+=($!)
for _ in $(seq 100); do [ -s "$work/site.port" ] && break; read -rt 0.1 <> <(:) || true; done
config=$root/etc/chancery/config.toml
# The newcomer's three lines: who polls, where a blog is, and (this one is on loopback) that it may be polled.
sed -i -e 's|^contact .*|contact         = "https://example.org/about-our-polls"|' \
	-e 's|^allow_networks .*|allow_networks  = ["127.0.0.0/8"]|' \
	-e "0,/^url *= .*/s||url   = \"http://127.0.0.1:$(cat "$work/site.port")/feed.xml\"|" "$config"
# A test has no fixed ports, and asks nobody on the internet: one source is enough.
awk '/^\[\[source\]\]/ {n++} n < 2' "$config" >"$work/config" && cat "$work/config" >"$config"
sed -i -e 's|^listen  *= .*|listen          = "127.0.0.1:0"|' -e 's|^metrics_listen *= .*|metrics_listen  = ""|' "$config"
first=$(awk '/^\[\[source\]\]/ {s = 1} s && /^id/ {gsub(/"/, "", $3); print $3; exit}' "$config")
env=(/usr/bin/env -i PATH=/usr/bin:/bin HOME=/var/lib/chancery STATE_DIRECTORY=/var/lib/chancery RUNTIME_DIRECTORY=/run/chancery)
as() { chroot --userspec=chancery:chancery "$root" "${env[@]}" "$@"; }
chroot "$root" install -d -o chancery -g chancery -m 700 /var/lib/chancery
chroot "$root" install -d -o chancery -g chancery -m 750 /run/chancery
as chancery config check

say "serving"
(exec chroot --userspec=chancery:chancery "$root" "${env[@]}" chancery serve) >/dev/null 2>"$work/log" &
pids+=($!)
base=
for _ in $(seq 300); do
	base=$(sed -n 's/.*msg=ready.* public=\([^ ]*\).*/\1/p' "$work/log")
	[ -n "$base" ] && break
	read -rt 0.1 <> <(:) || true
done
[ -n "$base" ] || { cat "$work/log"; die "the daemon is not ready"; }
as chancery poll "$first"
for feed in iran mek iran+mek all "source/$first"; do
	for _ in $(seq 300); do # the feeds follow the archive, on a busy machine not at once
		curl -fsS "$base/feeds/$feed.atom" >"$work/feed" || die "no feed $feed"
		grep -q 'Talks in Tehran' "$work/feed" && continue 2
		read -rt 0.1 <> <(:) || true
	done
	die "the post is not in $feed"
done
as chancery status >/dev/null
kill "${pids[-1]}"
wait "${pids[-1]}" || { cat "$work/log"; die "the daemon did not end with 0"; }
unset 'pids[-1]'
as chancery verify --deep

say "removing"
chroot "$root" dpkg --remove chancery 2>/dev/null
[ -f "$config" ] || die "removing took the configuration"
chroot "$root" dpkg --purge chancery
[ ! -e "$root/etc/chancery" ] || die "purging left /etc/chancery"
[ -d "$root/var/lib/chancery/archive" ] || die "purging took the archive"
rm -rf "$root/var/lib/chancery" "$root/run/chancery"
find "$root" -xdev -not -path "$root/proc*" | sort >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | grep -v -e '/var/lib/dpkg/' -e '/var/log/' -e '/var/cache/' -e '/etc/.*-$' -e '/etc/.pwd.lock' || true)
[ -z "$left" ] || die "left behind: $left"
say "installed, served, removed: all as it should be"
