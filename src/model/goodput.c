#include "model/goodput.h"

#define BITS_PER_BYTE 8.0
#define NS_PER_S      1e9

double goodput_between(uint64_t bytes, int64_t from_ns, int64_t to_ns)
{
    int64_t span_ns;
    if (__builtin_sub_overflow(to_ns, from_ns, &span_ns) || span_ns <= 0)
        return -1;
    return (double)bytes * BITS_PER_BYTE * NS_PER_S / (double)span_ns;
}
