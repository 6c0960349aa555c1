#include "util/units.h"

#include <stdio.h>

#define RATE_MAX 1e21 /* beyond is no rate, but a fault */

static char *scaled(double value, const char *unit, char out[UNITS_TEXT_MAX])
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t power = 0;
    /* 999.5 would round to four digits. */
    while (value >= 999.5 && power + 1 < sizeof prefixes / sizeof *prefixes) {
        value /= 1000;
        power++;
    }
    int decimals = power == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(out, UNITS_TEXT_MAX, "%.*f %s%s", decimals, value, prefixes[power], unit);
    return out;
}

char *units_rate(double bits_per_s, char out[UNITS_TEXT_MAX])
{
    if (!(bits_per_s >= 0 && bits_per_s < RATE_MAX)) {
        snprintf(out, UNITS_TEXT_MAX, "-");
        return out;
    }
    return scaled(bits_per_s, "bit/s", out);
}

char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX])
{
    return scaled((double)bytes, "B", out);
}
