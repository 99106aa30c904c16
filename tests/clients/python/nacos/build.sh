#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes a Python environment for each generation of nacos-sdk-python, which cannot share one, outside the tree, once for each
# state of the pinned requirements, and prints the directory that holds them as the last line of stdout. Progress goes to
# stderr. Safe to call several times at once.
set -eu

cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (sha256sum -- *.txt && python3 --version) | sha256sum | cut -c1-16)
out="$cache/nacos-python-$hash"

mkdir -p "$cache"
exec 9>"$cache/nacos-python.lock"
flock 9
if [ ! -e "$out/complete" ]; then
	echo "nacos-python: installing into $out" >&2
	rm -rf "$out" # no folder of another name: the programs of an environment know where it is
	for file in *.txt; do
		python3 -m venv "$out/${file%.txt}" >&2
		"$out/${file%.txt}/bin/pip" install --quiet --disable-pip-version-check --retries 5 -r "$file" >&2
	done
	touch "$out/complete"
	find "$cache" -maxdepth 1 -name 'nacos-python-*' -mtime +7 -exec rm -rf {} +
	echo "nacos-python: done" >&2
fi
echo "$out"
