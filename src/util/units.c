#include "util/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"

#define PRINTED_MAX 1e21 /* beyond is no rate, but a fault */
#define SHOWN       60   /* bytes of a text that a message repeats */

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
    if (!(bits_per_s >= 0 && bits_per_s < PRINTED_MAX)) {
        snprintf(out, UNITS_TEXT_MAX, "-");
        return out;
    }
    return scaled(bits_per_s, "bit/s", out);
}

char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX])
{
    return scaled((double)bytes, "B", out);
}

/* ---- exact rates ---- */

static const struct {
    const char *name;
    uint64_t size; /* bit/s */
} rate_units[] = {
    {"bit/s", 1},
    {"kbit/s", 1000},
    {"Mbit/s", 1000000},
    {"Gbit/s", 1000000000},
    {"Tbit/s", UINT64_C(1000000000000)},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int not_a_rate(const char *text, const char *why, struct error *err)
{
    return error_set(err, ERROR_INPUT, NULL, "\"%.*s%s\" is no rate: %s", SHOWN, text,
                     strlen(text) > SHOWN ? "..." : "", why);
}

/* The unit's place in rate_units; -1: it is none. */
static int find_unit(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(rate_units); i++) {
        if (strcmp(rate_units[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* As other programs spell it: "mbit", "Mbps", "M".  Its place in rate_units; -1: none is like it.
 */
static int guess_unit(const char *unit)
{
    static const char prefixes[] = "kmgt";
    static const char *const endings[] = {"",      "b",       "bps",    "b/s",  "bit",
                                          "bit/s", "bit/sec", "bits/s", "bits", "bits/sec"};
    const char *prefix = strchr(prefixes, *unit | ' '); /* in small letters */
    const char *ending = unit + (prefix != NULL);
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return prefix ? (int)(prefix - prefixes) + 1 : 0;
    return -1;
}

static bool counts_bytes(const char *unit)
{
    const size_t size = strlen(unit);
    return strstr(unit, "B/s") || strstr(unit, "byte") || strstr(unit, "Byte") ||
           strstr(unit, "Bps") || (size > 0 && unit[size - 1] == 'B');
}

/* A unit that is none, and what was probably meant. */
static int refuse_unit(const char *text, const char *unit, struct error *err)
{
    const size_t figures = strspn(text, "0123456789.");
    const int number = figures < SHOWN ? (int)figures : SHOWN, meant = guess_unit(unit);
    if (!*unit) {
        not_a_rate(text, "missing unit", err);
        return error_cure(err, "write for example \"%.*sMbit/s\"", number, text);
    }
    if (counts_bytes(unit)) {
        not_a_rate(text, "rates count bits, not bytes", err);
        return error_cure(err, "a byte is 8 bits: 10 MB/s are \"80Mbit/s\"");
    }
    not_a_rate(text, "unknown unit", err);
    if (meant >= 0)
        return error_cure(err, "write \"%.*s%s\"", number, text, rate_units[meant].name);
    return error_cure(err, "units are bit/s, kbit/s, Mbit/s, Gbit/s and Tbit/s, spelled so");
}

/* Reads DECIMAL as *value / 10^*places and goes behind it; what is wrong with it, or NULL. */
static const char *read_decimal(const char **at, uint64_t *value, int *places)
{
    const char *const too_large = "it is too large, or too exact";
    bool fraction = false;
    int zeros = 0; /* of the fraction, which count only if a figure follows */
    if (!is_digit(**at))
        return "a number is missing";
    for (;; (*at)++) {
        if (**at == '.' && !fraction && is_digit((*at)[1])) {
            fraction = true;
            continue;
        }
        if (!is_digit(**at))
            return NULL;
        const uint64_t digit = (uint64_t)(**at - '0');
        zeros++;
        if (fraction && digit == 0)
            continue;
        for (; zeros > 0; zeros--) {
            if (*value > (UINT64_MAX - 9) / 10)
                return too_large;
            *value *= 10;
            *places += fraction;
        }
        *value += digit;
    }
}

/* value / 10^places of a unit in bit/s; what is wrong with it, or NULL. */
static const char *scale_exactly(uint64_t *value, int places, uint64_t unit)
{
    for (; places > 0; places--, unit /= 10) {
        if (unit % 10)
            return "it is no whole number of bit/s";
    }
    if (*value > UINT64_MAX / unit)
        return "it is too large";
    *value *= unit;
    return NULL;
}

int units_parse_rate(const char *text, uint64_t *bits_per_s, struct error *err)
{
    const char *at = text;
    uint64_t value = 0;
    int places = 0;
    if (strcmp(text, "0") == 0) {
        *bits_per_s = 0;
        return 0;
    }
    const char *fault = read_decimal(&at, &value, &places);
    if (!fault) {
        const char *name = *at == ' ' ? at + 1 : at;
        const int unit = find_unit(name);
        if (unit < 0)
            return refuse_unit(text, name, err);
        fault = scale_exactly(&value, places, rate_units[unit].size);
    }
    if (fault) {
        not_a_rate(text, fault, err);
        return error_cure(err, "write for example \"10Mbit/s\" or \"1.5Gbit/s\"");
    }
    *bits_per_s = value;
    return 0;
}

int units_parse_bytes(const char *text, uint64_t *bytes, struct error *err)
{
    static const char *const names[COUNT_OF(rate_units)] = {"B", "kB", "MB", "GB", "TB"};
    const char *at = text;
    uint64_t value = 0;
    int places = 0;
    size_t unit = 0;
    const char *fault = read_decimal(&at, &value, &places);
    at += *at == ' ';
    while (unit < COUNT_OF(names) && strcmp(names[unit], at) != 0)
        unit++;
    if (!fault && unit == COUNT_OF(names))
        fault = "its unit is none of B, kB, MB, GB and TB";
    if (!fault && scale_exactly(&value, places, rate_units[unit].size))
        fault = "it is too large, or no whole number of bytes";
    if (!fault) {
        *bytes = value;
        return 0;
    }
    error_set(err, ERROR_INPUT, NULL, "\"%.*s\" is no size: %s", SHOWN, text, fault);
    return error_cure(err, "write for example \"500MB\" or \"1.5GB\"");
}

char *units_exact_rate(uint64_t bits_per_s, char out[UNITS_TEXT_MAX])
{
    /* In the largest unit that takes three places at most. */
    for (size_t i = COUNT_OF(rate_units); bits_per_s > 0 && i-- > 0;) {
        const uint64_t unit = rate_units[i].size;
        const uint64_t thousandth = unit < 1000 ? 1 : unit / 1000;
        if (bits_per_s < unit || bits_per_s % thousandth)
            continue;
        unsigned fraction = (unsigned)(bits_per_s % unit / thousandth);
        int places = fraction ? 3 : 0;
        for (; places && fraction % 10 == 0; places--)
            fraction /= 10;
        if (places)
            snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 ".%0*u%s", bits_per_s / unit, places,
                     fraction % 1000, rate_units[i].name);
        else
            snprintf(out, UNITS_TEXT_MAX, "%" PRIu64 "%s", bits_per_s / unit, rate_units[i].name);
        return out;
    }
    snprintf(out, UNITS_TEXT_MAX, "0");
    return out;
}
