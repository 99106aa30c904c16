#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds r-nacos, an independent Nacos server, by its crate name, once for each version, and prints the directory that holds
# it as the last line of stdout. Progress goes to stderr. Safe to call several times at once. Its 450 crates take many minutes, so
# that ordinary runs use it only where it is. Uses the cargo of tests/support/install.sh.
#
#   build.sh --cached   builds nothing: prints nothing where it has not been built before
set -eu

cd "$(dirname "$0")"
version=0.8.8
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
out="$cache/rnacos-$version"

if [ "${1:-}" = --cached ]; then
	[ ! -x "$out/bin/rnacos" ] || echo "$out"
	exit 0
fi
mkdir -p "$cache"
exec 9>"$cache/rnacos.lock"
flock 9
if [ ! -x "$out/bin/rnacos" ]; then
	PATH="$(bash ../../support/install.sh rust | tail -n 1):$PATH"
	echo "rnacos: building $version into $out, some minutes" >&2
	rm -rf "$out.tmp" "$out.target"
	cargo install rnacos --version "$version" --locked --quiet --no-track --root "$out.tmp" --target-dir "$out.target" >&2
	rm -rf "$out" "$out.target"
	mv "$out.tmp" "$out"
	echo "rnacos: done" >&2
fi
echo "$out"
