#include "cli/say.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit_status.h"

int say_error(const char *subject, const struct error *err)
{
    char text[sizeof *err + 16];
    error_text(err, text, sizeof text);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' '; /* an agent, or a file, may have worded it */
    /* A problem of the file itself names it already. */
    size_t size = strlen(subject);
    bool named = size == 0 || (strncmp(text, subject, size) == 0 && text[size] == ':');
    fprintf(stderr, "tcp-flowgen: %s%s%s\n", named ? "" : subject, named ? "" : ": ", text);
    return exit_status_of((enum error_code)err->code);
}

void say_each(const char *subject, struct error_list *problems)
{
    error_list_merge(problems);
    for (size_t i = 0; i < problems->count; i++)
        say_error(subject, &problems->items[i]);
}

int say_problems(const char *subject, struct error_list *problems)
{
    say_each(subject, problems);
    fprintf(stderr, "tcp-flowgen: %s%s%zu problem%s\n", subject, *subject ? ": " : "",
            problems->count, problems->count == 1 ? "" : "s");
    return problems->count ? exit_status_of((enum error_code)problems->items[0].code) : EXIT_FLOWS;
}
