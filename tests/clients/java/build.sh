#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the applications of the demos outside the tree, once for each state of the sources, and prints the directory
# that holds their jars as the last line of stdout. Progress goes to stderr. Safe to call several times at once.
set -eu

cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (find . -type f | LC_ALL=C sort | xargs sha256sum; javac -version 2>&1) | sha256sum | cut -c1-16)
out="$cache/demos-$hash"

mkdir -p "$cache"
exec 9>"$cache/demos.lock"
flock 9
if [ ! -e "$out" ]; then
	echo "demos: building into $out (minutes where Maven has nothing yet, seconds later)" >&2
	tmp="$out.tmp"
	rm -rf "$tmp"
	mkdir -p "$tmp/jars"
	cp -R . "$tmp/source"
	nice mvn -B -q -ntp -f "$tmp/source/pom.xml" package >&2
	mv "$tmp"/source/*/target/*.jar "$tmp"/source/*/target/*.lib "$tmp/jars/"
	mv "$tmp/jars" "$out"
	rm -rf "$tmp"
	find "$cache" -maxdepth 1 -name 'demos-*' -mtime +7 -exec rm -rf {} +
	echo "demos: done" >&2
fi
echo "$out"
