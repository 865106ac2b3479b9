#!/bin/sh
# Fills dist/ with what nfpm.yaml packs: the static program, its man pages and
# completions, and the configuration with the places of a system service.
#   packaging/dist.sh VERSION [GOARCH]
set -eu
cd "$(dirname "$0")/.."
version=$1
arch=${2:-$(go env GOARCH)}
mkdir -p dist/man dist/completion
CGO_ENABLED=0 GOOS=linux GOARCH="$arch" go build -trimpath -ldflags "-s -w -X main.version=$version" -o dist/chancery ./cmd/chancery
# The pages and completions come from a program for this machine.
tool=$(mktemp)
trap 'rm -f "$tool"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$version" -o "$tool" ./cmd/chancery
"$tool" man dist/man
"$tool" completion bash >dist/completion/chancery.bash
"$tool" completion zsh >dist/completion/_chancery
"$tool" completion fish >dist/completion/chancery.fish
"$tool" config default | sed -e 's|^# data_dir = .*|data_dir = "/var/lib/chancery"|' \
	-e 's|^# control .*|control         = "/run/chancery/control.sock"|' >dist/config.toml
"$tool" --config dist/config.toml config check
