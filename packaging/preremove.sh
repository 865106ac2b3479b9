#!/bin/sh
# An upgrade goes on running until the new program is there; a removal stops.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now chancery.service chancery.socket
fi
