#!/usr/bin/env bash
# Makes the release of this machine's architecture twice, from two directories, holds the
# two to each other byte for byte (CONFORMANCE SEC-33), and tries the .deb in a clean root.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$(go env GOARCH)
epoch=$(git log -1 --format=%ct)
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
SOURCE_DATE_EPOCH=$epoch packaging/release.sh 0.0.0 "$arch"
git ls-files -z | xargs -0 tar -cf - | tar -xf - -C "$other"
(umask 077 && SOURCE_DATE_EPOCH=$epoch "$other/packaging/release.sh" 0.0.0 "$arch" >/dev/null)
cmp dist/SHA256SUMS "$other/dist/SHA256SUMS" || { echo "package: two builds of the same sources differ" >&2; exit 1; }
echo "package: two builds are equal to the byte"
packaging/test.sh dist
