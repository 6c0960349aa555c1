/* The one clock of the program: CLOCK_MONOTONIC in int64 nanoseconds.  Only the edges call
 * it; everything that decides takes the time as an argument. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t clock_now(void);      /* CLOCK_MONOTONIC, ns */
int64_t clock_now_unix(void); /* CLOCK_REALTIME, ns since 1970: for people only, it steps */
int64_t clock_jiffy(void);    /* ns: the kernel's coarse times go by steps of it */

#endif
