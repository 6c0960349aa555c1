/* The kernel stamps packets with CLOCK_REALTIME, we count in CLOCK_MONOTONIC.  Linux keeps the two
 * apart by a constant that changes only when the wall clock is stepped (settimeofday(), a leap
 * second, a suspended machine): what NTP slews, it slews in both.  So that constant is measured
 * before and after a stamp, and the stamp counts only if the two measurements agree.
 *
 * A measurement is a bracket: the constant lies within low_ns..high_ns.  A stamp is converted to
 * the side that the caller can bear, so that the bracket's width widens his bound and never breaks
 * it. All but bracket_read() is pure. */
#ifndef UTIL_BRACKET_H
#define UTIL_BRACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock_bracket {
    int64_t at_ns;           /* CLOCK_MONOTONIC when it was made; 0: there is none */
    int64_t low_ns, high_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC is within */
};

/* From the monotonic clock read before and after the wall clock. */
struct clock_bracket bracket_make(int64_t mono_before_ns, int64_t real_ns, int64_t mono_after_ns);

/* The narrowest of several. */
struct clock_bracket bracket_read(void);

/* A moment that is not after (earliest) or not before (latest) the stamp's, on CLOCK_MONOTONIC.
 * `before` was made before the stamp and `after` behind it; false if the wall clock was stepped in
 * between, or the stamp does not lie between them. */
bool bracket_earliest(const struct clock_bracket *before, const struct clock_bracket *after,
                      int64_t real_ns, int64_t *mono_ns);
bool bracket_latest(const struct clock_bracket *before, const struct clock_bracket *after,
                    int64_t real_ns, int64_t *mono_ns);

/* The stamp's place on CLOCK_MONOTONIC, by count (at least one) brackets in the order of their
 * time, of which the last was made behind it; it is not older than since_ns.  Across a step of the
 * wall clock it is the middle of all places that may be.  *error_ns: the place is wrong by that at
 * most, also where the brackets do not reach back to since_ns. */
int64_t bracket_place(const struct clock_bracket brackets[], size_t count, int64_t real_ns,
                      int64_t since_ns, int64_t *error_ns);

#endif
