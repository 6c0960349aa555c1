/* How late samples were taken behind their ticks: counts in buckets that double. */
#ifndef MODEL_LATENESS_H
#define MODEL_LATENESS_H

#include <stdint.h>

/* Bucket 0 is below 1 us (and ahead of the tick, when the time axis was moved meanwhile); bucket n
 * is from 2^(n-1) us to below 2^n us; the last has all from 2^26 us (67 s) on. */
#define LATENESS_BUCKETS 28

unsigned lateness_bucket(int64_t late_ns);
/* Where the bucket ends, ns: what is in it is less.  INT64_MAX for the last. */
int64_t lateness_bucket_end(unsigned bucket);

uint64_t lateness_count(const uint64_t buckets[LATENESS_BUCKETS]);
/* A share (0 to 1) of the samples was less late than this, ns: the end of a bucket, or max_ns (the
 * greatest lateness) where that is less.  0 without samples. */
int64_t lateness_percentile(const uint64_t buckets[LATENESS_BUCKETS], double share, int64_t max_ns);

#endif
