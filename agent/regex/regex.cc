// SPDX-License-Identifier: Apache-2.0
extern "C" {
#include "regex/regex.h"
}

#include <re2/re2.h>

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>

namespace
{

constexpr size_t kMaxPatternBytes = 4096;
// Budget for one compiled program; RE2 itself refuses what does not fit and falls back to its slower engine, never to more
// memory, when the automaton of a match would grow beyond it.
constexpr int64_t kMaxProgramBytes = 1 << 20;
constexpr int kMaxShownPatternBytes = 200;

RE2::Options options()
{
    RE2::Options made;
    made.set_log_errors(false);
    made.set_max_mem(kMaxProgramBytes);
    return made;
}

int shown_length(ist_strv pattern)
{
    return pattern.n < static_cast<size_t>(kMaxShownPatternBytes) ? static_cast<int>(pattern.n) : kMaxShownPatternBytes;
}

ist_status refuse(ist_strv pattern, const RE2 &re2, ist_err *err)
{
    const int shown = shown_length(pattern);
    if (re2.error_code() == RE2::ErrorPatternTooLarge) {
        return ist_err_set(
            err, IST_ELIMIT,
            "regular expression \"%.*s\" needs too much memory when compiled; use smaller repetition counts", shown,
            pattern.p);
    }
    // RE2 names no offset; the offending piece of the pattern is its position.
    const std::string &piece = re2.error_arg();
    const char *found =
        piece.empty() ? nullptr : static_cast<const char *>(memmem(pattern.p, pattern.n, piece.data(), piece.size()));
    if (found == nullptr) {
        return ist_err_set(err, IST_EINVAL, "regular expression \"%.*s\": %s", shown, pattern.p, re2.error().c_str());
    }
    return ist_err_set(err, IST_EINVAL, "regular expression \"%.*s\": %s at byte %zu", shown, pattern.p,
                       re2.error().c_str(), static_cast<size_t>(found - pattern.p));
}

} // namespace

struct ist_regex {
    explicit ist_regex(ist_strv pattern) : re2(re2::StringPiece(pattern.p, pattern.n), options())
    {
    }
    RE2 re2;
};

extern "C" ist_status ist_regex_compile(ist_strv pattern, const ist_regex **ret_regex, ist_err *err)
{
    if (pattern.n > kMaxPatternBytes) {
        return ist_err_set(err, IST_ELIMIT, "regular expression of %zu bytes is longer than the maximum of %zu",
                           pattern.n, kMaxPatternBytes);
    }
    if (pattern.p == nullptr) {
        pattern.p = "";
    }
    try {
        auto made = std::make_unique<ist_regex>(pattern);
        if (!made->re2.ok()) {
            return refuse(pattern, made->re2, err);
        }
        *ret_regex = made.release();
        return IST_OK;
    } catch (const std::bad_alloc &) {
        return ist_err_set(err, IST_ENOMEM, "no memory to compile a regular expression");
    } catch (const std::exception &thrown) {
        return ist_err_set(err, IST_EINTERNAL, "RE2 failed on a regular expression: %s", thrown.what());
    }
}

extern "C" void ist_regex_free(const ist_regex *regex)
{
    delete regex;
}

extern "C" bool ist_regex_full_match(const ist_regex *regex, ist_strv text)
{
    try {
        return RE2::FullMatch(re2::StringPiece(text.n != 0 ? text.p : "", text.n), regex->re2);
    } catch (const std::exception &) {
        return false; // no memory for the automaton: the route does not hold, the next one is tried
    }
}
