#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/run.sh [--long] [BENCH...]
#
# Runs the benches, or those named, and prints their results as tables:
#
#   memory  resident memory idle and with a large mesh, from a directory and from istiod, beside Envoy
#   push    from the last byte of an EDS push to the changed DNS and REST answer
#   sync    CPU and time of a cold synchronisation, beside Envoy
#   warm    from exec to the first DNS answer out of a snapshot, while istiod is down
#   commit  cost of one changed service for meshes of growing size, in process
#   dns     DNS answers beside a bare UDP echo and other servers; needs root (port 53 of a loopback address)
#   update  DNS answers while 1,000 endpoints a second change
#   answer  cost of one DNS answer without the sockets, in process
#   select  cost of selection, in process
#   lookup  cost of one look-up: selecting, /v1/resolve, /v1/explain, in process
#   eureka  the Eureka door beside Netflix's eureka-core server: whole lists, deltas, a thousand clients
#   nacos   the Nacos door beside r-nacos: questions over HTTP and gRPC, pushes, memory; needs root (a network of its own)
#
# Short form (default): small sizes, checks that the benches work and that the figures are sane, no limits on time.
# --long: the real sizes; about 50 minutes if nothing else runs, 35 of them for dns. What came out: docs/benchmarks.md.
# Results: build/bench/NAME.json ($BENCH_RESULTS). ISTHMUS_BIN: another agent than the release build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ALL=(memory push sync warm commit dns update answer select lookup eureka nacos)
long=
commit_form=(--short)
benches=()
for word in "$@"; do
  case $word in
  --long) long=--long commit_form=() ;;
  -h | --help)
    sed -n '4,24s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *)
    [[ " ${ALL[*]} " == *" $word "* ]] || { echo "tests/bench/run.sh: no bench \"$word\"" >&2; exit 2; }
    benches+=("$word")
    ;;
  esac
done
[ ${#benches[@]} -gt 0 ] || benches=("${ALL[@]}")
wants() { [[ " ${benches[*]} " == *" $1 "* ]]; }

bash tests/support/install.sh test
venv=$(bash tests/support/install.sh venv)
cmake --preset release -DIST_BENCH=ON >/dev/null
cmake --build --preset release --target isthmus bench_answer bench_commit bench_eureka bench_lookup bench_select dns_echo \
  dnsload -- --quiet
export PATH=$venv:$PATH PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
export ISTHMUS_BIN=${ISTHMUS_BIN:-$PWD/build/release/isthmus}
export BENCH_PROGRAMS=$PWD/build/release/tests/bench
export BENCH_RESULTS=${BENCH_RESULTS:-$PWD/build/bench}
if wants memory || wants push || wants sync || wants warm || wants dns; then
  go=$(bash tests/support/install.sh go)
  ISTHMUS_ISTIOD_DIR=${ISTHMUS_ISTIOD_DIR:-$(env PATH="$go:$PATH" bash tests/istiod/build.sh | tail -n 1)}
  export ISTHMUS_ISTIOD_DIR
fi
if wants eureka; then
  ISTHMUS_DEMOS_DIR=${ISTHMUS_DEMOS_DIR:-$(bash tests/clients/java/build.sh | tail -n 1)}
  export ISTHMUS_DEMOS_DIR
fi
if wants dns; then
  bash tests/support/install.sh peers
  if [ -n "$long" ] || compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/isthmus/coredns-*/coredns" >/dev/null; then
    # The short form does not wait for its building.
    BENCH_COREDNS=$(env PATH="$go:$PATH" sh tests/bench/coredns.sh | tail -n 1)
    export BENCH_COREDNS
  fi
fi
mkdir -p "$BENCH_RESULTS"
for bench in "${benches[@]}"; do rm -f "$BENCH_RESULTS/$bench".*; done # older results of the others stay

failed=0
run() {
  case $1 in
  commit) "$BENCH_PROGRAMS/bench_commit" "${commit_form[@]}" >"$BENCH_RESULTS/commit.json" ;;
  answer | select | lookup) "$BENCH_PROGRAMS/bench_$1" >"$BENCH_RESULTS/$1.txt" ;;
  *) python3 "tests/bench/bench_$1.py" ${long:+"$long"} ;;
  esac
}
for bench in "${benches[@]}"; do
  started=$SECONDS outcome=passed
  run "$bench" || { outcome=failed; failed=1; }
  echo "bench $bench: $outcome, $((SECONDS - started)) s"
done
python3 tests/bench/table.py
for bench in answer select lookup; do
  if wants "$bench" && [ -s "$BENCH_RESULTS/$bench.txt" ]; then
    printf '\n### %s\n\n' "$bench"
    cat "$BENCH_RESULTS/$bench.txt"
  fi
done
exit $failed
