#include "cli/say.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit_status.h"
#include "report/problems_json.h"
#include "util/text.h"

#define SAID_MAX 200 /* problems; --json has all */

int say_error(const char *subject, const struct error *err)
{
    char text[sizeof *err + 16];
    error_text(err, text, sizeof text);
    /* A problem of the file itself names it already. */
    size_t size = strlen(subject);
    bool named = size == 0 || (strncmp(text, subject, size) == 0 && text[size] == ':');
    fputs("tcp-flowgen: ", stderr);
    if (!named) {
        text_print(stderr, subject, size);
        fputs(": ", stderr);
    }
    text_print(stderr, text, strlen(text)); /* an agent, or a file, may have worded it */
    fputc('\n', stderr);
    return exit_status_of((enum error_code)err->code);
}

int said_error(struct said *said, const char *subject, const struct error *err)
{
    if (said) {
        said->error = *err;
        if (!err->where[0])
            error_where(&said->error, "%s", subject);
    }
    return say_error(subject, err);
}

int said_json(const struct said *said, int status)
{
    char text[sizeof said->error];
    struct error err = {0};
    if (said->answered)
        return status;
    error_text(&said->error, text, sizeof text);
    if (status == EXIT_FINE)
        text[0] = '\0';
    else if (!said->error.code)
        snprintf(text, sizeof text, "%s", status == EXIT_INTERRUPTED ? "interrupted" : "failed");
    return problems_json(text, &said->problems, stdout, &err) ? say_error("", &err) : status;
}

void said_fini(struct said *said)
{
    error_list_fini(&said->problems);
}

static size_t say_list(struct said *said, const char *subject, struct error_list *problems)
{
    error_list_merge(problems);
    for (size_t i = 0; i < problems->count; i++) {
        if (i < SAID_MAX)
            say_error(subject, &problems->items[i]);
        if (said)
            error_list_add(&said->problems, &problems->items[i]);
    }
    if (problems->count > SAID_MAX) {
        struct error more = {0};
        error_set(&more, ERROR_AGENT, NULL, "... and %zu more", problems->count - SAID_MAX);
        say_error(subject, &more);
    }
    const size_t count = problems->count;
    error_list_fini(problems);
    return count;
}

void say_each(struct said *said, const char *subject, struct error_list *problems)
{
    say_list(said, subject, problems);
}

int say_problems(struct said *said, const char *subject, struct error_list *problems)
{
    const int code = problems->count ? problems->items[0].code : ERROR_SYSTEM;
    const size_t count = say_list(said, subject, problems);
    struct error all = {0};
    error_set(&all, code, NULL, "%zu problem%s", count, count == 1 ? "" : "s");
    return said_error(said, subject, &all);
}
