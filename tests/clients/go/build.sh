#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds eureka-clients outside the tree, once for each state of the sources, and prints the directory that holds it as the
# last line of stdout. Progress goes to stderr. Safe to call several times at once. Uses the go of tests/support/install.sh.
set -eu

cd "$(dirname "$0")"
PATH="$(bash ../../support/install.sh go | tail -n 1):$PATH"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
sources() {
	find . -path ./nacos -prune -o \( -name '*.go' -o -name go.mod -o -name go.sum \) -print | LC_ALL=C sort
}
hash=$( (sources | xargs sha256sum; go version) | sha256sum | cut -c1-16)
out="$cache/eureka-go-$hash"

mkdir -p "$cache"
exec 9>"$cache/eureka-go.lock"
flock 9
if [ ! -x "$out/eureka-clients" ]; then
	echo "eureka-go: building into $out" >&2
	rm -rf "$out.tmp"
	mkdir -p "$out.tmp"
	CGO_ENABLED=0 nice go build -trimpath -ldflags=-s -o "$out.tmp/eureka-clients" . >&2
	rm -rf "$out"
	mv "$out.tmp" "$out"
	find "$cache" -maxdepth 1 -name 'eureka-go-*' -mtime +7 -exec rm -rf {} +
	echo "eureka-go: done" >&2
fi
echo "$out"
