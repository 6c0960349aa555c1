/* SIGINT, SIGTERM and SIGHUP as calls, for programs whose threads are not all their own. */
#ifndef UTIL_SIGNALS_H
#define UTIL_SIGNALS_H

#include <pthread.h>

#include "util/error.h"

/* Blocks SIGINT, SIGTERM and, unless it is ignored as by nohup(1), SIGHUP, and ignores SIGPIPE and
 * SIGXFSZ for this thread and all that it starts later.  Call it before any other thread exists. */
void signals_block(void);

/* pthread_create() of a thread that no signal is delivered to: they are for others of the process.
 * 0 or errno. */
int signals_spare_thread(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Starts a thread that waits for those that were blocked, and calls fn(arg) there for each; those
 * that came meanwhile too.  A terminal that goes away may send several SIGHUP: the first counts. It
 * lasts as long as the process, and so must arg.  0, or ERROR_SYSTEM.
 */
int signals_watch(void (*fn)(void *arg), void *arg, struct error *err);

#endif
