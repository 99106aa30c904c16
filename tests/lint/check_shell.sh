#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Shell scripts: shellcheck, and `set -e` (or an explicit choice of -u without -e) in each of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "tests/lint/check_shell.sh:1: shellcheck is not installed"; exit 1; }

mapfile -t scripts < <(
  { git ls-files --cached --others --exclude-standard 2>/dev/null || find . -path ./build -prune -o -type f -print |
    sed 's,^\./,,'; } | sort -u | while read -r name; do
    [ -f "$name" ] || continue
    case $name in
    *.sh | .ci/run) echo "$name" ;;
    esac
  done
)
failed=0
shellcheck --severity=style --external-sources --source-path=SCRIPTDIR --format=gcc "${scripts[@]}" || failed=1
for script in "${scripts[@]}"; do
  grep -qE '^set -[a-z]*[eu]' "$script" || { echo "$script:1: no set -eu"; failed=1; }
done
exit $failed
