#include "util/duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"

struct unit {
    const char *name;
    uint64_t ns;
};

/* Longer names first where one is the beginning of another. */
static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5, micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC, Greek mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

#define LIMIT (UINT64_C(1) << 63) /* what a negative duration may reach, in ns */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits before the point; false if they exceed LIMIT. */
static bool read_integer(const char **at, uint64_t *value)
{
    for (*value = 0; is_digit(**at); ++*at) {
        if (*value > LIMIT / 10)
            return false;
        *value = *value * 10 + (uint64_t)(**at - '0');
        if (*value > LIMIT)
            return false;
    }
    return true;
}

/* Digits behind the point, as numerator and power of ten; digits that no longer fit are ignored,
 * as Go does: they are far below a nanosecond. */
static void read_fraction(const char **at, uint64_t *value, double *scale)
{
    bool full = false;
    *value = 0;
    *scale = 1;
    for (; is_digit(**at); ++*at) {
        if (full)
            continue;
        uint64_t digit = (uint64_t)(**at - '0');
        if (*value > (LIMIT - 1) / 10 || *value * 10 + digit > LIMIT) {
            full = true;
            continue;
        }
        *value = *value * 10 + digit;
        *scale *= 10;
    }
}

/* The unit at `at`: everything up to the next digit or point. */
static const struct unit *find_unit(const char *at, size_t *length)
{
    *length = strcspn(at, ".0123456789");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == *length && memcmp(units[i].name, at, *length) == 0)
            return &units[i];
    return NULL;
}

static int bad(struct error *err, const char *text, const char *why)
{
    error_set(err, ERROR_INPUT, NULL, "\"%.60s\" is not a duration: %s", text, why);
    error_cure(
        err, "write a number and a unit out of ns, us, ms, s, m, h, such as \"1.5s\" or \"1m30s\"");
    return ERROR_INPUT;
}

/* One "decimal unit" group, added to *total. */
static int read_group(const char *text, const char **at, uint64_t *total, struct error *err)
{
    uint64_t integer, fraction = 0;
    double scale = 1;
    const char *first = *at;
    if (!is_digit(**at) && **at != '.')
        return bad(err, text, "a number is missing");
    if (!read_integer(at, &integer))
        return bad(err, text, "it is too long");
    bool digits = *at != first;
    if (**at == '.') {
        ++*at;
        first = *at;
        read_fraction(at, &fraction, &scale);
        digits |= *at != first;
    }
    if (!digits)
        return bad(err, text, "a number is missing");
    size_t length;
    const struct unit *unit = find_unit(*at, &length);
    if (length == 0)
        return bad(err, text, "a unit is missing");
    if (!unit)
        return bad(err, text, "its unit is unknown");
    *at += length;
    if (integer > LIMIT / unit->ns)
        return bad(err, text, "it is too long");
    uint64_t ns = integer * unit->ns;
    ns += (uint64_t)((double)fraction * ((double)unit->ns / scale));
    if (ns > LIMIT || *total + ns > LIMIT)
        return bad(err, text, "it is too long");
    *total += ns;
    return 0;
}

int duration_parse(const char *text, int64_t *out, struct error *err)
{
    const char *at = text;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    if (strcmp(at, "0") == 0) {
        *out = 0;
        return 0;
    }
    if (!*at)
        return bad(err, text, "it is empty");
    uint64_t total = 0;
    while (*at) {
        int failed = read_group(text, &at, &total, err);
        if (failed)
            return failed;
    }
    if (!negative && total > INT64_MAX)
        return bad(err, text, "it is too long");
    *out = negative ? (int64_t)(0 - total) : (int64_t)total;
    return 0;
}

/* "1.5" of 1500000000 per 1000000000, without trailing zeros. */
static int print_decimal(char *out, size_t size, uint64_t value, uint64_t unit)
{
    int used = snprintf(out, size, "%llu", (unsigned long long)(value / unit));
    uint64_t rest = value % unit;
    if (!rest)
        return used;
    out[used++] = '.';
    for (uint64_t place = unit / 10; rest; place /= 10) {
        out[used++] = (char)('0' + rest / place);
        rest %= place;
    }
    out[used] = '\0';
    return used;
}

char *duration_format(int64_t ns, char out[DURATION_TEXT_MAX])
{
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char *at = out;
    size_t size = DURATION_TEXT_MAX;
    if (ns < 0)
        *at++ = '-', size--;
    if (value == 0) {
        snprintf(at, size, "0s");
    } else if (value < (uint64_t)NS_PER_S) {
        uint64_t unit = value < 1000 ? 1 : value < 1000000 ? 1000 : 1000000;
        int used = print_decimal(at, size, value, unit);
        snprintf(at + used, size - (size_t)used, "%s",
                 unit == 1      ? "ns"
                 : unit == 1000 ? "\xc2\xb5s"
                                : "ms");
    } else {
        uint64_t minutes = value / (60 * (uint64_t)NS_PER_S);
        int used = 0;
        if (minutes >= 60)
            used += snprintf(at, size, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes)
            used += snprintf(at + used, size - (size_t)used, "%llum",
                             (unsigned long long)(minutes % 60));
        used += print_decimal(at + used, size - (size_t)used, value % (60 * (uint64_t)NS_PER_S),
                              (uint64_t)NS_PER_S);
        snprintf(at + used, size - (size_t)used, "s");
    }
    return out;
}
