#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds CoreDNS, a peer of the DNS bench, outside the tree, once, and prints the program as the last line of stdout. Needs go in
# PATH (tests/support/install.sh go).
set -eu

version=v1.15.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
out="$cache/coredns-$version"

mkdir -p "$cache"
exec 9>"$cache/coredns.lock"
flock 9
if [ ! -x "$out/coredns" ]; then
	echo "coredns: building into $out (minutes)" >&2
	GOBIN="$out.tmp" nice go install "github.com/coredns/coredns@$version" >&2
	rm -rf "$out"
	mv "$out.tmp" "$out"
fi
echo "$out/coredns"
