#!/bin/sh
# Makes a release in dist/: for each architecture a .deb and a .tar.gz of the static
# program with its pages, completions, units and documents, and SHA256SUMS. The same
# commit gives the same bytes (CONFORMANCE SEC-33).
#   packaging/release.sh VERSION [GOARCH…]        NFPM: how nfpm is run
set -eu
cd "$(dirname "$0")/.."
version=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64
# All times in the archives are that of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
# Modes must not depend on who builds.
umask 022
rm -rf dist
mkdir -p dist
files=
for arch in "$@"; do
	packaging/dist.sh "$version" "$arch"
	find dist/root -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	VERSION=$version ARCH=$arch ${NFPM:-go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2} \
		package --config packaging/nfpm.yaml --packager deb --target "dist/chancery_${version}_$arch.deb"
	name=chancery-$version-linux-$arch
	mkdir "dist/$name"
	cp -Rp dist/root/. "dist/$name/"
	mkdir "dist/$name/systemd"
	cp packaging/chancery.service packaging/chancery.socket packaging/sysusers.conf packaging/address-guard.conf "dist/$name/systemd/"
	mkdir "dist/$name/monitoring"
	cp packaging/prometheus-alerts.yaml packaging/grafana-dashboard.json "dist/$name/monitoring/"
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -C dist -cf - "$name" |
		gzip -9n >"dist/$name.tar.gz"
	rm -rf "dist/$name"
	files="$files chancery_${version}_$arch.deb $name.tar.gz"
done
rm -rf dist/root
# shellcheck disable=SC2086 # names without spaces
(cd dist && sha256sum $files >SHA256SUMS && cat SHA256SUMS)
