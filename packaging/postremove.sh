#!/bin/sh
# Purging takes the configuration, never the archive: it can't be had again.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rmdir /etc/chancery 2>/dev/null || true
	if [ -d /var/lib/chancery ]; then
		echo "chancery: the archive stays in /var/lib/chancery; delete it by hand if it is not wanted" >&2
	fi
fi
