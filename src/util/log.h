/* The log of a running command on standard error, one line an entry.  Called by cli, agent and
 * master only, never by library code.  Any thread; a line is written with one write().  On a
 * terminal it clears what stands behind the cursor: a line of progress that ends with a carriage
 * return makes room. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

enum log_level { LOG_QUIET, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* the program's one mutable global; default LOG_INFO */
enum log_level log_get_level(void);
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)

#endif
