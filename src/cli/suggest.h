/* "Did you mean": the known word that is nearest to a mistyped one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* A known word is near if it begins with the given one, or a few slips of the keyboard lead to it.
 * Offer the words one after another; best is the nearest so far, NULL: none is near. */
struct suggestion {
    const char *word; /* that was typed */
    const char *best;
    size_t distance; /* of best */
};

void suggest_offer(struct suggestion *suggestion, const char *known);

/* The cure for an option of iperf, without its dashes, that this program has not; NULL: it is none.
 */
const char *suggest_to_iperf_users(const char *name);

#endif
