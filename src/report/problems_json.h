/* Why a command did not do what it was asked to, for programs. */
#ifndef REPORT_PROBLEMS_JSON_H
#define REPORT_PROBLEMS_JSON_H

#include <stdio.h>

#include "util/error.h"

/* {"error": TEXT or null (""), "problems": [{"where": TEXT or null, "what": TEXT, "cure": TEXT or
 * null}]}. */
int problems_json(const char *error, const struct error_list *problems, FILE *out,
                  struct error *err);

#endif
