#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds istiod-harness, adsdump, goregexp, istiodns, istioinject and istioprint outside the tree, once for each state of the
# sources, beside a copy of Istio's istiod chart, and prints the directory that holds them as the last line of stdout. Progress
# goes to stderr. Safe to call several times at once.
set -eu

cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (find . \( -name '*.go' -o -name go.mod -o -name go.sum \) | LC_ALL=C sort | xargs sha256sum; go version) |
	sha256sum | cut -c1-16)
out="$cache/istiod-$hash"

mkdir -p "$cache"
exec 9>"$cache/istiod.lock"
flock 9
if [ ! -e "$out/complete" ]; then
	echo "istiod: building into $out (minutes with a cold build cache, seconds with a warm one)" >&2
	tmp="$out.tmp"
	rm -rf "$tmp"
	mkdir -p "$tmp"
	for target in istiod-harness:. adsdump:./cmd/adsdump goregexp:./cmd/goregexp istiodns:./cmd/istiodns \
		istioinject:./cmd/istioinject istioprint:./cmd/istioprint; do
		echo "istiod: go build ${target%%:*}" >&2
		nice go build -trimpath -ldflags=-s -o "$tmp/${target%%:*}" "${target#*:}" >&2
	done
	istio=$(go list -m -f '{{.Dir}}' istio.io/istio)
	cp -r --no-preserve=mode "$istio/manifests/charts/istio-control/istio-discovery" "$tmp/istiod-chart"
	touch "$tmp/complete"
	rm -rf "$out"
	mv "$tmp" "$out"
	find "$cache" -maxdepth 1 -name 'istiod-*' -mtime +7 -exec rm -rf {} +
	echo "istiod: done" >&2
fi
echo "$out"
