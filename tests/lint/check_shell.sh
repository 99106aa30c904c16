#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Shell scripts: shellcheck, and `set -e` (or an explicit choice of -u without -e) in each of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "tests/lint/check_shell.sh:1: shellcheck is not installed"; exit 1; }

if [ -e .git ]; then
  mapfile -t scripts < <(git -c safe.directory='*' ls-files --cached --others --exclude-standard '*.sh' .ci/run)
else
  mapfile -t scripts < <(find . -path ./build -prune -o -name '*.sh' -printf '%P\n')
fi
failed=0
shellcheck --severity=style --external-sources --source-path=SCRIPTDIR --format=gcc "${scripts[@]}" || failed=1
for script in "${scripts[@]}"; do
  grep -qE '^set -[a-z]*[eu]' "$script" || { echo "$script:1: no set -eu"; failed=1; }
done
exit $failed
