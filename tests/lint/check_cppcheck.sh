#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# cppcheck on our C: warnings, performance, portability. A false report is silenced on its line, with the reason:
#   // cppcheck-suppress ID ; why
# Not asked: readdir (each stream has one reader), uninitialised across functions (calls a half-filled struct a mistake).
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v cppcheck >/dev/null || { echo "tests/lint/check_cppcheck.sh:1: cppcheck is not installed"; exit 1; }

includes=()
while read -r folder; do
  includes+=(-I "$folder")
done < <(find agent dns api -type d -name include | sort)
mapfile -t sources < <(find agent dns api -name '*.c' | sort)
cppcheck --quiet --enable=warning,performance,portability --std=c11 --language=c -D_GNU_SOURCE --library=posix \
  --inline-suppr --suppress=missingInclude --suppress=readdirCalled --suppress=ctuuninitvar \
  --error-exitcode=1 --template='{file}:{line}: {message} [{id}]' \
  "${includes[@]}" "${sources[@]}" 2>&1
