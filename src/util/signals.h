/* SIGINT and SIGTERM as calls, for programs whose threads are not all their own. */
#ifndef UTIL_SIGNALS_H
#define UTIL_SIGNALS_H

#include "util/error.h"

/* Blocks SIGINT and SIGTERM and ignores SIGPIPE for this thread and all that it starts later, then
 * starts a thread that waits for the two and calls fn(arg) there for each.  Call it before any
 * other thread exists; it lasts as long as the process, and so must arg. */
int signals_watch(void (*fn)(void *arg), void *arg, struct error *err);

#endif
