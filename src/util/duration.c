/* Term by term as Go's time.ParseDuration does it, so that both read every text alike. */
#include "util/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define LIMIT (UINT64_C(1) << 63) /* -INT64_MIN: a sum may reach it, if it is negative */
#define SHOWN 60                  /* bytes of the text that a message repeats */

enum fault { FAULT_NONE, FAULT_NUMBER, FAULT_NO_UNIT, FAULT_UNIT, FAULT_RANGE };

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},
    {"us", NS_PER_US},
    {"\u00b5s", NS_PER_US}, /* micro sign */
    {"\u03bcs", NS_PER_US}, /* Greek letter mu */
    {"ms", NS_PER_MS},
    {"s", NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *at and goes behind them; false above LIMIT. */
static bool read_whole(const char **at, uint64_t *out)
{
    uint64_t value = 0;
    for (; is_digit(**at); (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (value > (LIMIT - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* Reads digits behind a point as *value / *scale; those beyond 63 bits do not count. */
static void read_fraction(const char **at, uint64_t *value, double *scale)
{
    bool full = false;
    for (; is_digit(**at); (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        full = full || *value > (uint64_t)INT64_MAX / 10 || *value * 10 + digit > LIMIT;
        if (full)
            continue;
        *value = *value * 10 + digit;
        *scale *= 10;
    }
}

/* ns of the unit that is `length` bytes long, or 0. */
static uint64_t unit_ns(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
            return (uint64_t)units[i].ns;
    }
    return 0;
}

/* Adds one decimal with its unit to *sum.  At a fault *at stands where it was found. */
static enum fault read_term(const char **at, uint64_t *sum)
{
    uint64_t whole = 0, fraction = 0;
    double scale = 1;
    const char *first = *at;
    if (!read_whole(at, &whole))
        return FAULT_RANGE;
    size_t digits = (size_t)(*at - first);
    if (**at == '.') {
        const char *point = (*at)++;
        read_fraction(at, &fraction, &scale);
        digits += (size_t)(*at - point) - 1;
    }
    if (!digits) {
        *at = first;
        return FAULT_NUMBER;
    }
    size_t length = strcspn(*at, ".0123456789");
    if (!length)
        return FAULT_NO_UNIT;
    uint64_t unit = unit_ns(*at, length);
    if (!unit)
        return FAULT_UNIT;
    *at += length;
    if (whole > LIMIT / unit)
        return FAULT_RANGE;
    /* Go's own arithmetic: exact as far as the fraction is whole ns, else it rounds where Go does,
     * so that 0.3333333333333333333h are 20 minutes. */
    uint64_t value = whole * unit + (uint64_t)((double)fraction * ((double)unit / scale));
    if (value > LIMIT - *sum)
        return FAULT_RANGE;
    *sum += value;
    return FAULT_NONE;
}

/* The unit that people mean by another word; NULL: none is like it. */
static const char *guess_unit(const char *name)
{
    static const struct {
        const char *unit, *word;
    } words[] = {
        {"s", "s"},
        {"s", "sec"},
        {"s", "second"},
        {"m", "m"},
        {"m", "min"},
        {"m", "minute"},
        {"h", "h"},
        {"h", "hr"},
        {"h", "hour"},
        {"ms", "ms"},
        {"ms", "msec"},
        {"ms", "milli"},
        {"ms", "millisecond"},
        {"us", "us"},
        {"us", "usec"},
        {"us", "microsecond"},
        {"ns", "ns"},
        {"ns", "nsec"},
        {"ns", "nanosecond"},
    };
    size_t length = strlen(name);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        size_t size = strlen(words[i].word);
        bool plural = size > 2 && length == size + 1 && (name[size] | ' ') == 's';
        if (strncasecmp(name, words[i].word, size) == 0 && (length == size || plural))
            return words[i].unit;
    }
    return NULL;
}

static int cure_unit(const char *text, const char *at, struct error *err)
{
    const char *meant = guess_unit(at + strspn(at, " "));
    const int figures = (int)strspn(text, "+-.0123456789");
    if (meant && text + figures == at && figures <= SHOWN)
        return error_cure(err, "write \"%.*s%s\"", figures, text, meant);
    return error_cure(err, "units are ns, us, ms, s, m and h, without blanks");
}

static int explain(enum fault fault, const char *text, const char *at, struct error *err)
{
    const char *more = strlen(text) > SHOWN ? "..." : "";
    char unit[SHOWN + 1];
    switch (fault) {
    case FAULT_NONE:
        return 0;
    case FAULT_NUMBER:
        error_set(err, ERROR_INPUT, NULL, "\"%.*s%s\" is no duration: a number is missing%s%.20s%s",
                  SHOWN, text, more, *at ? " before \"" : "", at, *at ? "\"" : "");
        return error_cure(err, "write for example \"10s\", \"250ms\" or \"1m30s\"");
    case FAULT_NO_UNIT:
        error_set(err, ERROR_INPUT, NULL, "\"%.*s%s\" is no duration: missing unit", SHOWN, text,
                  more);
        if (*at)
            return error_cure(err, "write a unit before \"%.20s\" too, as in \"1m30s\"", at);
        return error_cure(err, "write \"%.*s%ss\" for seconds, or \"%.*s%sms\"", SHOWN, text, more,
                          SHOWN, text, more);
    case FAULT_UNIT:
        snprintf(unit, sizeof unit, "%.*s", (int)strcspn(at, ".0123456789"), *at ? at : "");
        error_set(err, ERROR_INPUT, NULL, "\"%.*s%s\" is no duration: unknown unit \"%s\"", SHOWN,
                  text, more, unit);
        return cure_unit(text, at, err);
    case FAULT_RANGE:
        break;
    }
    error_set(err, ERROR_INPUT, NULL, "\"%.*s%s\" is too long for a duration", SHOWN, text, more);
    return error_cure(err, "the longest is 2562047h47m16.854775807s");
}

int duration_parse(const char *text, int64_t *out, struct error *err)
{
    const char *at = text;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    uint64_t sum = 0;
    enum fault fault = *at ? FAULT_NONE : FAULT_NUMBER;
    if (strcmp(at, "0") != 0) {
        while (*at && fault == FAULT_NONE)
            fault = read_term(&at, &sum);
    }
    if (fault == FAULT_NONE && !negative && sum == LIMIT)
        fault = FAULT_RANGE;
    if (fault != FAULT_NONE)
        return explain(fault, text, at, err);
    if (sum == LIMIT)
        *out = INT64_MIN;
    else
        *out = negative ? -(int64_t)sum : (int64_t)sum;
    return 0;
}

/* Writes value / 10^digits without the fraction's closing zeros. */
static void put_decimal(char *out, size_t size, uint64_t value, int digits, const char *unit)
{
    uint64_t scale = 1;
    for (int i = 0; i < digits; i++)
        scale *= 10;
    uint64_t fraction = value % scale;
    while (digits && fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    if (digits)
        snprintf(out, size, "%" PRIu64 ".%0*" PRIu64 "%s", value / scale, digits, fraction, unit);
    else
        snprintf(out, size, "%" PRIu64 "%s", value / scale, unit);
}

char *duration_format(int64_t ns, char out[DURATION_TEXT_MAX])
{
    const uint64_t minute = 60 * (uint64_t)NS_PER_S;
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t minutes = value / minute;
    int used = snprintf(out, DURATION_TEXT_MAX, "%s", ns < 0 ? "-" : "");
    if (minutes >= 60)
        used +=
            snprintf(out + used, DURATION_TEXT_MAX - (size_t)used, "%" PRIu64 "h", minutes / 60);
    if (minutes)
        used +=
            snprintf(out + used, DURATION_TEXT_MAX - (size_t)used, "%" PRIu64 "m", minutes % 60);

    char *end = out + used;
    size_t left = DURATION_TEXT_MAX - (size_t)used;
    if (value == 0 || value >= (uint64_t)NS_PER_S)
        put_decimal(end, left, value % minute, 9, "s");
    else if (value >= (uint64_t)NS_PER_MS)
        put_decimal(end, left, value, 6, "ms");
    else if (value >= (uint64_t)NS_PER_US)
        put_decimal(end, left, value, 3, "\u00b5s");
    else
        put_decimal(end, left, value, 0, "ns");
    return out;
}
