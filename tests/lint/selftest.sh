#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The lint, tested: a small tree that keeps every rule must pass, and one planted violation at a time must be found, at
# its file and line. Prints `ok CASE` or `not ok CASE`.
# shellcheck disable=SC2016 # backticks are Markdown's
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$(bash "$here/../support/install.sh" venv):$PATH
tree=$(mktemp -d)
failed=0

clean_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree/tests/lint" "$tree/agent/base/include/base" "$tree/dns/wire/include/dns_wire" "$tree/docs"
  cp "$here"/*.py "$here"/*.sh "$tree/tests/lint/"
  grep -v 'lock` (`agent/' "$here/../../docs/ARCHITECTURE.md" >"$tree/docs/ARCHITECTURE.md"
  cp "$here/../../.clang-format" "$here/../../.clang-tidy" "$tree/"
  local module
  for module in agent/base dns/wire; do
    printf '# m\n\nMay use: libc. May not use: the rest. Threads: any. Memory: none.\n' >"$tree/$module/README.md"
    printf '# SPDX-License-Identifier: Apache-2.0\nist_module(%s HDRS one.h SRCS one.c)\n' "${module##*/}" \
      >"$tree/$module/CMakeLists.txt"
  done
  sed -i 's/(wire/(dns_wire/; s/)$/ DEPS ist::base)/' "$tree/dns/wire/CMakeLists.txt"
  cat >"$tree/agent/base/include/base/one.h" <<'C'
// SPDX-License-Identifier: Apache-2.0
//
// One number. It belongs to nobody.
// Nothing is allocated.
// Threads: any.
#pragma once

// The number after `x`.
int ist_one_next(int x);
C
  sed 's/ist_one/ist_dns_one/' "$tree/agent/base/include/base/one.h" >"$tree/dns/wire/include/dns_wire/one.h"
  cat >"$tree/agent/base/one.c" <<'C'
// SPDX-License-Identifier: Apache-2.0
#include "base/one.h"

int ist_one_next(int x)
{
    return x + 1;
}
C
  sed 's/ist_one/ist_dns_one/; s/base/dns_wire/' "$tree/agent/base/one.c" >"$tree/dns/wire/one.c"
  mkdir -p "$tree/build/clang"
  printf '[{"directory":"%s","file":"%s/agent/base/one.c","command":"cc -I agent/base/include -c agent/base/one.c"}]\n' \
    "$tree" "$tree" >"$tree/build/clang/compile_commands.json"
}

# expect RULE FILE TEXT: the rule fails and names FILE, and its report contains TEXT.
expect() {
  local output
  if output=$(cd "$tree" && "./tests/lint/$1" 2>&1); then
    echo "not ok $1 misses: $3"
    failed=1
  elif ! grep -F "$3" <<<"$output" | grep -qE "^$2:[0-9]+:"; then
    printf 'not ok %s says something else than "%s":\n%s\n' "$1" "$3" "$output"
    failed=1
  else
    echo "ok $1 finds: $3"
  fi
}

# plant RULE FILE TEXT < new end of FILE
plant() {
  clean_tree
  mkdir -p "$(dirname "$tree/$2")"
  cat >>"$tree/$2"
  expect "$1" "$2" "$3"
}

# A stand-in for `cmake --build`, which the small tree has no use for.
trap 'rm -rf "$tree" "$tree.bin"' EXIT
mkdir -p "$tree.bin"
printf '#!/bin/sh\n' >"$tree.bin/cmake"
chmod +x "$tree.bin/cmake"
PATH=$tree.bin:$PATH

clean_tree
for rule in "$here"/check_*; do
  rule=${rule##*/}
  if output=$(cd "$tree" && "./tests/lint/$rule" 2>&1); then
    echo "ok $rule passes a clean tree"
  else
    printf 'not ok %s fails on a clean tree:\n%s\n' "$rule" "$output"
    failed=1
  fi
done

plant check_includes.py agent/base/one.c 'base may not use dns_wire' <<<'#include "dns_wire/one.h"'
plant check_includes.py dns/wire/one.c 'dns_wire may not use c-ares' <<<'#include <ares.h>'
plant check_includes.py dns/wire/one.c 'is not in the table of known headers' <<<'#include <uv.h>'
plant check_includes.py dns/wire/one.c 'engine without sockets' <<<'#include <sys/socket.h>'
plant check_includes.py dns/wire/one.c 'neither a public header' <<<'#include "two.h"'
plant check_includes.py dns/wire/CMakeLists.txt 'dns_wire may not link mesh' <<<'ist_module(dns_wire DEPS ist::mesh)'
plant check_includes.py docs/ARCHITECTURE.md 'uses top, which stands below or nowhere' <<<'| `odd` | `base` `top` | - | |'
plant check_includes.py agent/odd/one.c 'module odd is not in the table' <<<'// nothing'
plant check_locks.py dns/wire/one.c 'door is missing in the table' <<<'struct a { pthread_mutex_t door; };'
plant check_locks.py docs/ARCHITECTURE.md 'there is no lock door in' <<<'| `door` (`dns/wire/one.c`) | x | y |'
plant check_sizes.py dns/wire/one.c 'lines of a function: 101' \
  < <(printf 'int f(int x)\n{\n' && printf '    x++;\n%.0s' $(seq 1 101) && printf '}\n')
plant check_sizes.py dns/wire/one.c 'parameters of a function: 7' \
  <<<$'int g(int a, int b, int c, int d, int e, int f, int h)\n{\n}'
plant check_sizes.py dns/wire/one.c 'levels of nesting: 4' \
  <<<$'void g(void)\n{\nif (1) {\nfor (;;) {\ndo {\nif (1) {\n}}}}\n}'
plant check_sizes.py dns/wire/one.c 'lines of a file' < <(printf '//\n%.0s' $(seq 1 1300))
plant check_banned.py dns/wire/one.c 'strcpy() is banned' <<<'void f(char *a) { strcpy(a, "x"); }'
plant check_banned.py dns/wire/one.c 'malloc() only in agent/base/' <<<'void *f(void) { return malloc(1); }'
plant check_banned.py dns/wire/one.c 'exit() only in agent/main.c' <<<'void f(void) { exit(1); }'
plant check_banned.py dns/wire/one.c 'counter is mutable at file scope' <<<'static int counter;'
plant check_banned.py dns/wire/one.c 'table is mutable at file scope' <<<'static struct pair table[4] = {{0}};'
plant check_docs.py dns/wire/include/dns_wire/one.h 'ist_dns_two_next has no comment' <<<$'\nint ist_dns_two_next(int x);'
plant check_docs.py dns/wire/include/dns_wire/two.h 'no #pragma once' <<<'// SPDX-License-Identifier: Apache-2.0'
plant check_docs.py dns/wire/include/dns_wire/two.h 'no word on threads' <<<'// SPDX-License-Identifier: Apache-2.0'
plant check_docs.py dns/wire/README.md 'longer than 60 lines' < <(printf 'x\n%.0s' $(seq 1 70))
clean_tree && sed -i 's/Threads/Fibres/' "$tree/dns/wire/README.md"
expect check_docs.py dns/wire/README.md 'says nothing on "Threads"'
plant check_named_tests.py docs/x.md 'there is no test test_gone in test_x.py' <<<'| a | `test_x.py::test_gone` |'
plant check_named_tests.py docs/x.md 'a rule without a test' <<<$'| rule | test |\n|---|---|\n| a | soon |'
plant check_style.py dns/wire/one.c 'trailing space' <<<'// x '
plant check_style.py dns/wire/one.c 'tab' <<<$'\t// x'
plant check_style.py dns/wire/one.c 'columns, at most' <<<"// $(printf 'x%.0s' $(seq 1 140))"
plant check_style.py dns/wire/one.c 'unfinished work' <<<"// TO""DO: more"
plant check_style.py docs/x.md 'conflict marker' <<<"<<<<""<<< HEAD"
plant check_style.py docs/x.md 'names a machine' <<<"see /work""/main/x"
plant check_style.py dns/wire/two.c 'no SPDX line' <<<'int x;'
plant check_format.py dns/wire/one.c 'lines differ from clang-format-14' < <(printf 'int   a ;\n%.0s' $(seq 1 40))
plant check_shell.sh tests/x.sh 'SC2086' <<<$'#!/bin/sh\nset -eu\necho $1'
plant check_shell.sh tests/x.sh 'no set -eu' <<<$'#!/bin/sh\necho x'
plant check_python.py tests/x.py 'F401' <<<'import os'
plant check_python.py tests/x.py 'invalid syntax' <<<'def ('
plant check_cppcheck.sh dns/wire/one.c '[memleak]' \
  <<<$'int f(int x)\n{\n    char *p = malloc(4);\n    if (x) { return 1; }\n    free(p);\n    return 0;\n}'
plant check_tidy.sh agent/base/one.c 'bugprone-suspicious-semicolon' \
  <<<$'int f(int x);\nint f(int x)\n{\n    if (x);\n        x = 2;\n    return x;\n}'
exit $failed
