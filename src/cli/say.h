/* What a command says on standard error about its own end.  Unlike the log it is not silenced by
 * --quiet: a status other than 0 has its reason there. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "util/error.h"

/* "tcp-flowgen: subject: where: what (cure)"; subject may be empty.  Returns the exit status. */
int say_error(const char *subject, const struct error *err);

/* All problems, one a line; merged (util/error.h), as thousands of flows may have the same. */
void say_each(const char *subject, struct error_list *problems);
/* And how many there are.  Returns the first one's exit status. */
int say_problems(const char *subject, struct error_list *problems);

#endif
