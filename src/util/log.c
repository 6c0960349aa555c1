#include "util/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

/* NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): see log.h */
static atomic_int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&threshold);
}

static const char *prefix(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error: ";
    case LOG_WARNING:
        return "warning: ";
    case LOG_DEBUG:
        return "debug: ";
    case LOG_QUIET:
    case LOG_INFO:
        break;
    }
    return "";
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > log_get_level())
        return;
    static const char clear[] = "\033[K";
    const size_t lead = isatty(STDERR_FILENO) ? sizeof clear - 1 : 0;
    char entry[1024 + sizeof clear], *line = entry + lead;
    const size_t room = sizeof entry - sizeof clear;
    int used = snprintf(line, room, "tcp-flowgen: %s", prefix(level));
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + used, room - (size_t)used - 1, format, args);
    va_end(args);
    size_t size = (size_t)used + (more > 0 ? (size_t)more : 0);
    if (size > room - 2)
        size = room - 2;
    line[size] = '\0';
    text_tame(line); /* an entry is one line, whatever it quotes */
    size = strlen(line);
    line[size++] = '\n';
    memcpy(entry, clear, lead);
    /* One write, so that lines of several threads do not mix; nothing can be done if it fails. */
    ssize_t wrote = write(STDERR_FILENO, entry, lead + size);
    (void)wrote;
}
