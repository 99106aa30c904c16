#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every rule, one after the other: tests/lint/all.sh [--long] [NAME...] (NAME as in check_NAME). Prints what each found
# and `ok NAME` or `not ok NAME`; fails if one failed.
set -euo pipefail
cd "$(dirname "$0")"

long=()
names=()
for argument in "$@"; do
  case $argument in
  --long) long=(--long) ;;
  -*) sed -n '4,5s/^# //p' "$0"; exit 2 ;;
  *) names+=("$argument") ;;
  esac
done
export PYTHONDONTWRITEBYTECODE=1
PATH=$(bash ../support/install.sh venv):$PATH
failed=0
for rule in check_*; do
  name=${rule#check_}
  name=${name%.*}
  [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" $name "* ]] || continue
  arguments=()
  [ "$name" != tidy ] || arguments=("${long[@]}")
  if "./$rule" "${arguments[@]}"; then
    echo "ok $name"
  else
    echo "not ok $name"
    failed=1
  fi
done
exit $failed
