#!/bin/sh
# Fills dist/ with what nfpm.yaml packs: the static program, its man pages and
# completions, the documents, and the configuration with the places of a system
# service. The same commit gives the same bytes on every machine with the same Go.
#   packaging/dist.sh VERSION [GOARCH]
set -eu
cd "$(dirname "$0")/.."
version=$1
arch=${2:-$(go env GOARCH)}
rm -rf dist/root
mkdir -p dist/root/man dist/root/completion dist/root/doc
# Without paths, without a build id and without the state of the checkout the bytes depend on the sources alone.
build() { CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$1" ./cmd/chancery; }
GOARCH=$arch build dist/root/chancery
# The pages and completions come from a program for this machine.
tool=$(mktemp)
trap 'rm -f "$tool"' EXIT
GOARCH=$(go env GOHOSTARCH) build "$tool"
"$tool" man dist/root/man
gzip -9n dist/root/man/*.1
"$tool" completion bash >dist/root/completion/chancery.bash
"$tool" completion zsh >dist/root/completion/_chancery
"$tool" completion fish >dist/root/completion/chancery.fish
"$tool" config default | sed -e 's|^# data_dir = .*|data_dir = "/var/lib/chancery"|' \
	-e 's|^# control .*|control         = "/run/chancery/control.sock"|' >dist/root/config.toml
"$tool" --config dist/root/config.toml config check
cp docs/*.md dist/root/doc/
cp README.md dist/root/doc/
gzip -9nc CHANGELOG.md >dist/root/doc/CHANGELOG.md.gz
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: chancery\n\nFiles: *\n'
	sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
	printf 'License: Expat\n'
	sed -n '/^Permission/,$p' LICENSE | sed -e 's/^$/./' -e 's/^/ /'
} >dist/root/doc/copyright
