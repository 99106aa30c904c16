// SPDX-License-Identifier: Apache-2.0
//
// Giving memory back when a push has been worked off: freed heap, and once after start-up the pages of code that only
// start-up needed (TLS set-up, option parsing, static initialisers of gRPC), which is more than half of the code's pages.
//
// Threads: the writer.
#pragma once

#include <stdbool.h>

// `start_up_is_over`: drop code pages too. They are clean and come back from the page cache when they are run again, so
// this is done once, not after each push. docs/benchmarks.md says what it saves.
void memory_give_back(bool start_up_is_over);
