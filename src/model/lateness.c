#include "model/lateness.h"

#include <math.h>

#define US INT64_C(1000)

unsigned lateness_bucket(int64_t late_ns)
{
    const int64_t us = late_ns / US;
    if (us <= 0)
        return 0;
    const unsigned bucket = 64 - (unsigned)__builtin_clzll((unsigned long long)us);
    return bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1;
}

int64_t lateness_bucket_end(unsigned bucket)
{
    return bucket < LATENESS_BUCKETS - 1 ? US << bucket : INT64_MAX;
}

uint64_t lateness_count(const uint64_t buckets[LATENESS_BUCKETS])
{
    uint64_t count = 0;
    for (unsigned i = 0; i < LATENESS_BUCKETS; i++)
        count += buckets[i];
    return count;
}

int64_t lateness_percentile(const uint64_t buckets[LATENESS_BUCKETS], double share, int64_t max_ns)
{
    const uint64_t count = lateness_count(buckets);
    const double wanted = ceil(share * (double)count);
    uint64_t below = 0;
    for (unsigned i = 0; count && i < LATENESS_BUCKETS; i++) {
        below += buckets[i];
        if ((double)below < wanted || below == 0)
            continue;
        const int64_t end = lateness_bucket_end(i);
        return end < max_ns ? end : max_ns;
    }
    return 0;
}
