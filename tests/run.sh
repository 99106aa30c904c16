#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/run.sh [TIER...] [--long]
#
# Installs what the tests need (Debian 12), builds, and runs every tier or those named:
#
#   lint         the rules of tests/lint, one test each, and their own test
#   unit         gcc and clang builds without a warning, public headers that compile alone, cmocka tests, replayed corpora
#   asan         the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan         the same tests under ThreadSanitizer, after it has found a planted race
#   fuzz         each libFuzzer target for a moment over a copy of its corpus
#   integration  pytest: the program driven from outside, the release build and the one under ASan and UBSan
#   istiod       pytest: both of them on the real control plane (tests/istiod, built with Go)
#   envoy        pytest: the release build against a real Envoy on that control plane
#   clients      pytest: unmodified Java clients and resolver libraries in pods with the release build (tests/clients)
#   charts       pytest: charts/isthmus rendered by Helm 3 and 4, merged by Istio's own injector, judged, and run as a pod
#   demo         agent/demo.sh --once
#   bench        tests/bench/run.sh, short form
#
# --long: the analyzer, 10 minutes of each fuzz target, tests marked `long`, the long form of the benches. Logs:
# build/logs/TIER.log. Very last line: `N passed, N failed`. A tier whose files are missing has failed. Exit code 0:
# everything that was asked for ran and passed.
# shellcheck disable=SC2317 # tiers are called by name
set -uo pipefail
exec </dev/null
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
top=$PWD
ALL=(lint unit asan tsan fuzz integration istiod envoy clients charts demo bench)
LOGS=$top/build/logs
long=
short_only=' and not long' # pytest markers

finish() { # the closing line, which machines read
  echo "$1 passed, $2 failed"
  [ "$2" = 0 ] && [ "$1" -gt 0 ]
  exit
}

usage() {
  sed -n '4,23s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit "$1"
}

tiers=()
for word in "$@"; do
  case $word in
  --long) long=1 short_only= ;;
  -h | --help) usage 0 ;;
  *)
    [[ " ${ALL[*]} " == *" $word "* ]] || { echo "tests/run.sh: no tier \"$word\"" >&2; usage 2 >&2; }
    tiers+=("$word")
    ;;
  esac
done
[ ${#tiers[@]} -gt 0 ] || tiers=("${ALL[@]}")
wants() { [[ " ${tiers[*]} " == *" $1 "* ]]; }

# --- Counting -------------------------------------------------------------------------------------------------------
# Inside a tier $tier is its name. Results are lines `pass|fail|skip NAME` in TIER.results, what failed shows in TIER.failures.

record() { echo "$1 $2" >>"$LOGS/$tier.results"; }

# failed NAME < text: counts a failure and keeps the end of the text for the screen.
failed() {
  record fail "$1"
  { echo "--- $1"; tail -n 40; } >>"$LOGS/$tier.failures"
}

# check NAME COMMAND...: one test. Its part of the log is what it has said; no pipe, which a stray child would keep open.
check() {
  local name=$1 before
  shift
  echo "+ $*"
  before=$(stat -c %s "$LOGS/$tier.log")
  if "$@"; then
    record pass "$name"
    return 0
  fi
  failed "$name" < <(tail -c "+$((before + 1))" "$LOGS/$tier.log")
  return 1
}

# need NAME COMMAND...: no test, but nothing goes on without it.
need() {
  check "$@" || return
  sed -i '$d' "$LOGS/$tier.results"
}

# reported XML PREFIX CODE: takes the counts of a tool's own report; its exit code must agree.
reported() {
  local before
  before=$(grep -c '^fail' "$LOGS/$tier.results")
  if ! python3 tests/support/junit.py "$1" "$2" >>"$LOGS/$tier.results" 2>>"$LOGS/$tier.failures"; then
    failed "${2}report" <<<"no readable report $1 (exit code $3)"
  elif [ "$3" != 0 ] && [ "$(grep -c '^fail' "$LOGS/$tier.results")" = "$before" ]; then
    failed "${2}exit code $3" < <(tail -n 40 "$LOGS/$tier.log")
  fi
}

build() { # build PRESET [TARGET...]
  local preset=$1
  shift
  need "$preset: configure" cmake --preset "$preset" &&
    need "$preset: build" cmake --build --preset "$preset" ${1:+--target "$@"} -- --quiet
}

run_ctest() { # run_ctest PRESET [WRAPPER...]
  local preset=$1 code=0
  shift
  "$@" ctest --test-dir "build/$preset" --output-junit "$LOGS/$tier-$preset.xml" --no-tests=error --output-on-failure \
    --timeout 300 --parallel "$(nproc)" || code=$?
  reported "$LOGS/$tier-$preset.xml" "$preset: " "$code"
}

run_pytest() { # run_pytest LABEL MARKERS [FOLDER [ARGUMENT...]]
  local code=0 folder=${3:-tests/integration}
  if [ -z "$(find "$folder" -name 'test_*.py' 2>/dev/null)" ]; then
    failed "$1" <<<"$folder has no test_*.py"
    return
  fi
  "$venv/pytest" "$folder" -c tests/integration/pytest.ini --rootdir "$folder" -m "$2" --timeout 300 \
    --junitxml "$LOGS/$tier-$1.xml" "${@:4}" || code=$?
  reported "$LOGS/$tier-$1.xml" "$1: " "$code"
}

# side_by_side LABEL COMMAND... [-- LABEL COMMAND...]...: at the same time, since tests mostly wait; each with a log of its own.
side_by_side() {
  local label labels=() command=()
  set +m # all stay in the process group of the tier
  while [ $# -gt 0 ]; do
    label=$1 command=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
      command+=("$1")
      shift
    done
    [ $# -eq 0 ] || shift
    labels+=("$label")
    "${command[@]}" >"$LOGS/$tier-$label.log" 2>&1 &
  done
  wait
  for label in "${labels[@]}"; do cat "$LOGS/$tier-$label.log"; done
}

pytest_with() { # pytest_with PRESET MARKERS
  ISTHMUS_BIN=$top/build/$1/isthmus run_pytest "$1" "$2"
}

# The binary that users get, and the one that sees every wrong access.
pytest_both() { # pytest_both MARKERS
  build release isthmus && build asan isthmus &&
    side_by_side release pytest_with release "$1" -- asan pytest_with asan "$1"
}

# --- Tiers ----------------------------------------------------------------------------------------------------------

tier_lint() {
  local rule name
  for rule in tests/lint/check_*; do
    name=${rule##*/check_}
    if [ "$name" = tidy.sh ]; then
      check "${name%.*}" "$rule" ${long:+--long}
    else
      check "${name%.*}" "$rule"
    fi
  done
  check 'selftest of the rules' tests/lint/selftest.sh
}

tier_unit() {
  build dev && run_ctest dev
  check 'dev: public headers compile alone' cmake --build --preset dev --target all_verify_interface_header_sets
  build clang && run_ctest clang
}

tier_asan() {
  export ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  build asan && run_ctest asan
}

# race_is_seen [WRAPPER...]: the planted race must be reported.
race_is_seen() {
  local program=build/tsan/planted_race output
  gcc -std=c11 -O1 -g -fsanitize=thread -pthread tests/support/planted_race.c -o "$program" || return
  output=$("$@" "$program" 2>&1)
  echo "$output"
  grep -q 'WARNING: ThreadSanitizer: data race' <<<"$output"
}

tier_tsan() {
  local wrapper=()
  export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1
  build tsan || return
  # Kernels with much address randomisation need it switched off for the runtime of gcc 12.
  if race_is_seen env 2>&1 | grep -q 'unexpected memory mapping'; then
    wrapper=(setarch "$(uname -m)" --addr-no-randomize)
  fi
  check 'tsan: a planted race is seen' race_is_seen "${wrapper[@]}" || return
  run_ctest tsan "${wrapper[@]}"
}

run_fuzzer() { # run_fuzzer NAME
  local name=$1 program corpus=build/fuzz/corpus/$1
  program=$(find build/fuzz -type f -name "fuzz_$name" -perm -u+x | head -n 1)
  [ -n "$program" ] || { echo "ist_fuzz($name ...) builds no fuzz_$name"; return 1; }
  rm -rf "$corpus"
  mkdir -p "$corpus"
  if [ -d "tests/fuzz/corpus/$name" ]; then
    cp -r "tests/fuzz/corpus/$name/." "$corpus/"
  else
    echo "tests/fuzz/corpus/$name is missing"
    return 1
  fi
  local limits=(-runs=20000 -max_total_time=10)
  [ -z "$long" ] || limits=(-max_total_time=600)
  "$program" "${limits[@]}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$LOGS/crash-$name-" "$corpus"
}

tier_fuzz() {
  local file names=()
  for file in tests/fuzz/fuzz_*.c; do
    [ -e "$file" ] || { failed fuzz <<<'tests/fuzz has no fuzz_*.c'; return; }
    file=${file##*/fuzz_}
    names+=("${file%.c}")
  done
  build fuzz "${names[@]/#/fuzz_}" || return
  for file in "${names[@]}"; do
    check "$file" run_fuzzer "$file"
  done
}

tier_integration() {
  pytest_both "not istiod and not envoy$short_only"
}

# built NAME VARIABLE: waits for what builds in the background since the start, and exports the folder.
built() {
  local code
  echo "+ the build of $1 (since the start, in the background)"
  while [ ! -e "$LOGS/$1-build.code" ]; do sleep 1; done
  cat "$LOGS/$1-build.log"
  read -r code <"$LOGS/$1-build.code"
  if [ "$code" != 0 ]; then
    failed "the build of $1" <"$LOGS/$1-build.log"
    return 1
  fi
  export "$2=$(cat "$LOGS/$1-build.folder")"
}

tier_istiod() {
  built istiod ISTHMUS_ISTIOD_DIR && pytest_both "istiod$short_only"
}

tier_clients() {
  export ISTHMUS_BIN=$top/build/release/isthmus
  built istiod ISTHMUS_ISTIOD_DIR && built demos ISTHMUS_DEMOS_DIR && build release isthmus &&
    side_by_side nacos run_pytest nacos "${short_only# and }" tests/clients --ignore-glob='*/test_[!n]*' -- \
      others run_pytest others "${short_only# and }" tests/clients --ignore-glob='*/test_nacos_*'
}

tier_charts() {
  built istiod ISTHMUS_ISTIOD_DIR && built charts ISTHMUS_CHARTS_DIR && build release isthmus &&
    ISTHMUS_BIN=$top/build/release/isthmus run_pytest release "${short_only# and }" tests/charts
}

# What is compared are decisions, which both builds make alike; the sanitizers see this code in the tier before.
tier_envoy() {
  built istiod ISTHMUS_ISTIOD_DIR && build release isthmus &&
    ISTHMUS_BIN=$top/build/release/isthmus run_pytest release "envoy$short_only"
}

run_file() { # run_file FILE ARGUMENT...
  [ -f "$1" ] || { echo "$1 is missing"; return 1; }
  bash "$@"
}

tier_demo() { check 'agent/demo.sh --once' run_file agent/demo.sh --once; }

tier_bench() { check 'tests/bench/run.sh' run_file tests/bench/run.sh ${long:+--long}; }

# --- Running --------------------------------------------------------------------------------------------------------

declare -A ours=() # process groups that are running
kill_group() { kill -"$1" -- "-$2" 2>/dev/null; }
stop_all() {
  local group
  [ ${#ours[@]} -gt 0 ] || return 0
  for group in "${!ours[@]}"; do kill_group TERM "$group"; done
  sleep 0.5
  for group in "${!ours[@]}"; do kill_group KILL "$group"; done
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build_istiod() {
  local folder
  folder=$(bash tests/support/install.sh go) && env PATH="$folder:$PATH" bash tests/istiod/build.sh
}

build_demos() {
  bash tests/support/install.sh java && bash tests/support/install.sh resolvers && bash tests/clients/go/build.sh &&
    bash tests/clients/node/build.sh && bash tests/clients/go/nacos/build.sh && bash tests/clients/python/nacos/build.sh &&
    bash tests/clients/java/build.sh
}

build_charts() {
  local folder
  bash tests/support/install.sh resolvers && folder=$(bash tests/support/install.sh go) &&
    env PATH="$folder:$PATH" bash tests/charts/build.sh
}

start_build() { # start_build NAME: build_NAME prints the folder as its last line
  local folder
  rm -f "$LOGS/$1"-build.*
  {
    folder=$("build_$1")
    echo $? >"$LOGS/$1-build.code.new"
    tail -n 1 <<<"$folder" >"$LOGS/$1-build.folder"
    mv "$LOGS/$1-build.code.new" "$LOGS/$1-build.code"
  } >"$LOGS/$1-build.log" 2>&1 &
  ours[$!]=1
}

left_behind() { ps -eo pgid=,stat=,pid=,args= | awk -v group="$1" '$1 == group && $2 !~ /^Z/'; }

# A tier runs in a process group of its own; what it leaves behind is a failure, and is ended.
run_tier() {
  tier=$1
  local started=$SECONDS limit=2400 group watchdog code=0 left
  [ -z "$long" ] || limit=$((8 * 3600))
  rm -f "$LOGS/$tier".* "$LOGS/$tier"-*.xml
  : >"$LOGS/$tier.results"
  "tier_$tier" >"$LOGS/$tier.log" 2>&1 &
  group=$!
  { sleep "$limit" && echo "took more than $limit s" >>"$LOGS/$tier.failures" && kill_group KILL "$group"; } &
  watchdog=$!
  ours[$group]=1 ours[$watchdog]=1
  wait "$group" || code=$?
  kill_group KILL "$watchdog"
  wait "$watchdog"
  left=$(left_behind "$group")
  if [ -n "$left" ]; then
    failed 'leaves no process behind' <<<"$left"
    kill_group KILL "$group"
  fi
  unset "ours[$group]" "ours[$watchdog]"
  [ "$code" -lt 128 ] || failed 'runs to its end' <<<"ended by signal $((code - 128))"
  [ -s "$LOGS/$tier.results" ] || failed 'runs at least one test' < <(tail -n 40 "$LOGS/$tier.log")
  summary $((SECONDS - started))
} 2>/dev/null # the shell's own remarks on what was ended

count() { grep -c "^$1 " "$LOGS/$tier.results"; }

summary() {
  local skipped
  skipped=$(count skip)
  printf '%-12s %4d passed, %d failed%s, %d s\n' "$tier" "$(count pass)" "$(count fail)" \
    "$([ "$skipped" = 0 ] || echo ", $skipped skipped")" "$1"
  passed_total=$((passed_total + $(count pass)))
  failed_total=$((failed_total + $(count fail)))
}

mkdir -p "$LOGS"
passed_total=0
failed_total=0
install() {
  bash tests/support/install.sh test && venv=$(bash tests/support/install.sh venv) && PATH=$venv:$PATH
}
venv=
if ! install; then
  echo 'tests/run.sh: the installation failed' >&2
  finish 0 1
fi
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
set -m # each background job gets a process group
if wants istiod || wants envoy || wants clients || wants charts; then
  start_build istiod
fi
if wants clients; then
  start_build demos
fi
if wants charts; then
  start_build charts
fi
for tier in "${tiers[@]}"; do
  run_tier "$tier"
done
for tier in "${tiers[@]}"; do
  if [ -s "$LOGS/$tier.failures" ]; then
    printf '\n=== %s failed (build/logs/%s.log)\n' "$tier" "$tier"
    head -n 200 "$LOGS/$tier.failures"
  fi
done
finish "$passed_total" "$failed_total"
