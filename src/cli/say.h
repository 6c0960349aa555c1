/* What a command says on standard error about its own end.  Unlike the log it is not silenced by
 * --quiet: a status other than 0 has its reason there. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdbool.h>

#include "util/error.h"

/* What a command said of its end, for those who asked it for JSON.  Zero-initialised is nothing. */
struct said {
    struct error error;         /* code 0: none */
    struct error_list problems; /* that were told before it */
    bool answered;              /* its JSON is on standard output already */
};

/* Says it as say_error() does, and keeps it; said may be NULL. */
int said_error(struct said *said, const char *subject, const struct error *err);
/* The JSON of what was said, unless the command answered.  Returns the status, or that of what kept
 * it from being written. */
int said_json(const struct said *said, int status);
void said_fini(struct said *said);

/* "tcp-flowgen: subject: where: what (cure)"; subject may be empty.  Returns the exit status. */
int say_error(const char *subject, const struct error *err);

/* All problems, one a line; merged (util/error.h), as thousands of flows may have the same.  Takes
 * them over, into said if that is not NULL. */
void say_each(struct said *said, const char *subject, struct error_list *problems);
/* And how many there are.  Returns the first one's exit status. */
int say_problems(struct said *said, const char *subject, struct error_list *problems);

#endif
