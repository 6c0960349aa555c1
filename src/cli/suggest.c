#include "cli/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

#define WORD_MAX 32 /* longer words are not compared */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, and 1 for two letters that changed places. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b_size; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t j = 1; j <= b_size; j++) {
            size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[a_size][b_size];
}

void suggest_offer(struct suggestion *suggestion, const char *known)
{
    size_t size = strlen(suggestion->word), known_size = strlen(known);
    if (size < 2 || size > WORD_MAX || known_size > WORD_MAX)
        return;
    bool begins = strncmp(suggestion->word, known, size) == 0;
    size_t far = begins ? 1 : distance(suggestion->word, size, known, known_size);
    size_t limit = size < 5 ? 1 : 2;
    if (far <= limit && (!suggestion->best || far < suggestion->distance)) {
        suggestion->best = known;
        suggestion->distance = far;
    }
}

const char *suggest_to_iperf_users(const char *name)
{
    static const char *const others[][2] = {
        {" c client s server D daemon ",
         "agents are started by 'tcp-flowgen agent', and flows are in a scenario, for 'tcp-flowgen "
         "run': see 'man tcp-flowgen'"},
        {" p port ", "an agent's port is in its --listen, and in a host's \"mgmt\""},
        {" t time b bandwidth bitrate P parallel R reverse bidir w window M set-mss C congestion N "
         "no-delay B bind bind-dev length bytes u udp ",
         "what flows do is in a scenario: see 'man tcp-flowgen'"},
        {" O omit ", "the option of 'tcp-flowgen run' is '--warmup'"},
        {" J ", "the option of 'tcp-flowgen run' is '--json'"},
    };
    char word[WORD_MAX + 3];
    snprintf(word, sizeof word, " %s ", name);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strstr(others[i][0], word))
            return others[i][1];
    return NULL;
}
