#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh [VERSION]: builds the application with nacos-sdk-go 1.1.6 and the newest v2, or that one (2.0.0, 2.2.5), outside the
# tree, once for each state of the sources, and prints the directory that holds it as the last line of stdout. Progress goes to
# stderr. Safe to call several times at once. Uses the go of tests/support/install.sh.
set -eu

cd "$(dirname "$0")"
version="${1:-}"
modules="${version:+sdk-$version.mod}"
PATH="$(bash ../../../support/install.sh go | tail -n 1):$PATH"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (find . ../lines \( -name '*.go' -o -name '*.mod' -o -name '*.sum' \) | LC_ALL=C sort | xargs sha256sum; go version) |
	sha256sum | cut -c1-16)
out="$cache/nacos-go${version:+-$version}-$hash"

mkdir -p "$cache"
exec 9>"$cache/nacos-go.lock"
flock 9
if [ ! -x "$out/nacos" ]; then
	echo "nacos-go: building into $out" >&2
	rm -rf "$out.tmp"
	mkdir -p "$out.tmp"
	CGO_ENABLED=0 nice go build -modfile="${modules:-go.mod}" -trimpath -ldflags=-s -o "$out.tmp/nacos" . >&2
	rm -rf "$out"
	mv "$out.tmp" "$out"
	find "$cache" -maxdepth 1 -name 'nacos-go-*' -mtime +7 -exec rm -rf {} +
	echo "nacos-go: done" >&2
fi
echo "$out"
