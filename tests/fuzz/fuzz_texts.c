/* Durations, rates, addresses and port ranges as people write them.  What is read can be written
 * and read again. */
#include <string.h>

#include "fuzz.h"
#include "util/address.h"
#include "util/duration.h"
#include "util/units.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const char *const seeds[] = {"1h2m3.5s",   "-250ms",    "1.5us", "1.234567Gbit/s", "0",
                                        "[::1]:8840", "a.b:65535", ":1",    "9000-9099"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char name[32];
        snprintf(name, sizeof name, "text-%zu", i);
        fuzz_seed(name, seeds[i], strlen(seeds[i]));
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512], out[DURATION_TEXT_MAX > UNITS_TEXT_MAX ? DURATION_TEXT_MAX : UNITS_TEXT_MAX];
    int64_t ns, ns_again;
    uint64_t rate, rate_again;
    uint16_t first, last;
    struct endpoint endpoint;
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (duration_parse(text, &ns, NULL) == 0)
        FUZZ_ASSERT(duration_parse(duration_format(ns, out), &ns_again, NULL) == 0 &&
                    ns == ns_again);
    if (units_parse_rate(text, &rate, NULL) == 0 && rate <= INT64_MAX)
        FUZZ_ASSERT(units_parse_rate(units_exact_rate(rate, out), &rate_again, NULL) == 0 &&
                    rate == rate_again);
    if (endpoint_parse(text, &endpoint, NULL) == 0)
        FUZZ_ASSERT(memchr(endpoint.host, '\0', sizeof endpoint.host));
    if (port_range_parse(text, &first, &last, NULL) == 0)
        FUZZ_ASSERT(first >= 1 && first <= last);
    return 0;
}
