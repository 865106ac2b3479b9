#!/bin/sh
# Makes the user; starts nothing: the operator sets contact and base_url first.
set -e
[ "$1" = configure ] || exit 0
if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers chancery.conf
elif ! getent passwd chancery >/dev/null; then
	# A root without systemd, as a container: the same user by the tools that every Debian has.
	useradd --system --user-group --home-dir /var/lib/chancery --shell /usr/sbin/nologin --comment "Feed aggregator" chancery
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# An upgrade: the new program takes over where the old one ran.
	if [ -n "$2" ]; then systemctl try-restart chancery.service; fi
fi
