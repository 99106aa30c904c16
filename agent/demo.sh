#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job on the embedded default: builds Isthmus, starts it on a directory of YAML (a small bookshop) and shows with
# dig and curl what an application would get. Then changes a weight in the directory and shows the answers follow.
# Keeps running until Ctrl-C; --once ends after the tour.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bash agent/demo.sh [--once]

Installs what it needs (Debian packages, by name), builds build/release/isthmus, and gives a tour on unprivileged
loopback ports. --once: end after the tour instead of waiting for Ctrl-C.
TEXT
}

once=0
case "${1:-}" in
    "") ;;
    --once) once=1 ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

for name in "${!ISTHMUS_@}"; do unset "$name"; done # the tour has options of its own

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

bold() { if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
say() { printf '%s\n' "$*"; }
show() { printf '  $ %s\n' "$*"; }

bold "1. Build"
bash tests/support/install.sh build
cmake --preset release > /dev/null
cmake --build --preset release --target isthmus | tail -n 1
isthmus=$root/build/release/isthmus
say "  build/release/isthmus, $(($(stat -c %s "$isthmus") / 1000)) kB"

work=$(mktemp -d)
agent_pid=
cleanup() {
    if [ -n "$agent_pid" ] && kill "$agent_pid" 2> /dev/null; then
        wait "$agent_pid" 2> /dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bold "2. Start the agent on a directory of Istio and Kubernetes YAML"
cp -r docs/examples/bookinfo "$work/mesh"
show "isthmus agent --source dir:mesh --dns-listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 ..."
"$isthmus" agent --source "dir:$work/mesh" --pod-namespace default --dns-listen 127.0.0.1:0 \
    --dns-upstream 127.0.0.1:9 --admin-listen 127.0.0.1:0 --health-listen 127.0.0.1:0 \
    --eureka-listen 127.0.0.1:0 --nacos-listen 127.0.0.1:0 --nacos-grpc-listen 127.0.0.1:0 --drain-time 0s \
    > "$work/ready" 2> "$work/log" &
agent_pid=$!
for _ in $(seq 300); do
    grep -q '^ready' "$work/ready" && break
    kill -0 "$agent_pid" 2> /dev/null || { cat "$work/log" >&2; exit 1; }
    read -r -t 0.1 < /dev/zero || true
done
sed 's/^/  /' "$work/log" "$work/ready"
port_of() { sed -n "s/.*$1=127\.0\.0\.1:\([0-9]*\).*/\1/p" "$work/ready"; }
dns=$(port_of dns)
admin=$(port_of admin)
if [ -z "$dns" ] || [ -z "$admin" ]; then
    say "the agent did not become ready" >&2
    exit 1
fi
ask() { dig +short +tries=1 @127.0.0.1 -p "$dns" "$@"; }
api() { curl -sS --fail-with-body "http://127.0.0.1:$admin$1"; }

bold "3. DNS: every name of the mesh"
show "dig @127.0.0.1 -p $dns details.default.svc.cluster.local          # a ClusterIP service: its virtual IP"
ask details.default.svc.cluster.local | sed 's/^/  /'
show "dig @127.0.0.1 -p $dns mongodb.default.svc.cluster.local          # headless: the pods"
ask mongodb.default.svc.cluster.local | sort | sed 's/^/  /'
show "dig @127.0.0.1 -p $dns mongodb-0.mongodb.default.svc.cluster.local # one pod by name"
ask mongodb-0.mongodb.default.svc.cluster.local | sed 's/^/  /'
show "dig @127.0.0.1 -p $dns payments.example.com                       # a service outside the mesh"
ask payments.example.com | sort | sed 's/^/  /'
show "dig @127.0.0.1 -p $dns SRV _http._tcp.reviews.default.svc.cluster.local"
ask SRV _http._tcp.reviews.default.svc.cluster.local | sort | sed 's/^/  /'

tally() { # 200 look-ups of reviews, counted by the version that the first address belongs to
    for _ in $(seq 200); do ask reviews.default.svc.cluster.local | head -n 1; done |
        sed -e 's/^10\.244\.[12]\.13$/v1/' -e 's/^10\.244\.1\.14$/v2/' -e 's/^10\.244\.2\.15$/v3/' | sort | uniq -c |
        awk '{printf "  %s: %d of 200\n", $2, $1}'
}

bold "4. The VirtualService says: reviews 90 % v1, 10 % v2. First address of 200 look-ups:"
tally

bold "5. REST: the effective endpoints, with exact shares"
show "curl http://127.0.0.1:$admin/v1/endpoints/reviews"
api /v1/endpoints/reviews | jq -r '.endpoints[] | "  \(.address):\(.port)  subset \(.subset)  share \(.share)  slots \(.slots)"'
show "isthmus services --admin 127.0.0.1:$admin"
"$isthmus" services --admin "127.0.0.1:$admin" | sed 's/^/  /'

bold "6. Why? The route, the destinations tier by tier, every endpoint, and which door can carry it"
show "isthmus explain reviews --path /api --admin 127.0.0.1:$admin"
"$isthmus" explain reviews --path /api --admin "127.0.0.1:$admin" | sed 's/^/  /'

bold "7. Change the split in the directory: 50 % v2, 50 % v3"
revision=$(api /v1/status | jq .revision)
sed -e 's/subset: v1$/subset: v3/' -e 's/weight: 90/weight: 50/' -e 's/weight: 10/weight: 50/' \
    docs/examples/bookinfo/reviews-rules.yaml > "$work/new.yaml"
mv "$work/new.yaml" "$work/mesh/reviews-rules.yaml"
show "curl 'http://127.0.0.1:$admin/v1/watch?revision=$revision'"
api "/v1/watch?revision=$revision&timeout=30" | sed 's/^/  /'
say ""
say "  The same 200 look-ups now:"
tally

bold "8. Health and metrics"
show "curl http://127.0.0.1:$admin/metrics | grep isthmus_dns_requests_total"
api /metrics | grep '^isthmus_dns_requests_total' | sed 's/^/  /'
say "  resident memory: $(awk '/VmRSS/ {printf "%.1f MB", $2 / 1024}' "/proc/$agent_pid/status")"

if [ "$once" = 1 ]; then
    bold "Done."
    exit 0
fi
bold "Still running; try it yourself, Ctrl-C ends it:"
say "  dig @127.0.0.1 -p $dns reviews.default.svc.cluster.local"
say "  curl http://127.0.0.1:$admin/v1/services"
say "  build/release/isthmus endpoints reviews --admin 127.0.0.1:$admin"
say "  edit $work/mesh/*.yaml and ask again"
wait "$agent_pid"
