#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the registry clients of Node outside the tree, once for each state of this folder, together with the applications that
# use them, and prints the directory as the last line of stdout. Progress goes to stderr. Safe to call several times at once.
set -eu

cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (find . -type f | LC_ALL=C sort | xargs sha256sum; node --version) | sha256sum | cut -c1-16)
out="$cache/clients-node-$hash"

mkdir -p "$cache"
exec 9>"$cache/clients-node.lock"
flock 9
if [ ! -e "$out" ]; then
	echo "clients-node: installing into $out" >&2
	rm -rf "$out.tmp"
	mkdir -p "$out.tmp"
	cp -- *.js package.json package-lock.json "$out.tmp"
	(cd "$out.tmp" && npm ci --silent --no-audit --no-fund --no-update-notifier --ignore-scripts >&2)
	mv "$out.tmp" "$out"
	find "$cache" -maxdepth 1 -name 'clients-node-*' -mtime +7 -exec rm -rf {} +
	echo "clients-node: done" >&2
fi
echo "$out"
