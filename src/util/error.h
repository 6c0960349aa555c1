/* One error rule for the whole program: a function that can fail returns 0 or a
 * negative code and fills a struct error with what happened, where and what to do.
 * Library code neither logs nor exits; main() turns the code into an exit status.
 *
 * No function here is bound to a thread; a struct error has no owner but its holder. */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <stddef.h>

enum error_code {
    ERROR_INPUT = -1,  /* wrong usage or scenario: nothing was started */
    ERROR_AGENT = -2,  /* an agent cannot be used */
    ERROR_FLOW = -3,   /* one flow's or end's fault */
    ERROR_SYSTEM = -4, /* this machine: memory, files, sockets */
};

struct error {
    int code;        /* enum error_code, 0: none */
    char where[128]; /* "flows[3].duration", "agent 10.0.0.1:8840", a file's name; may be empty */
    char what[384];
    char cure[256]; /* what to do; may be empty */
};

/* Fills err (which may be NULL) and returns code, so that callers can `return error_set(...)`.
 * where may be NULL.  Text that does not fit is cut. */
__attribute__((format(printf, 4, 5))) int error_set(struct error *err, int code, const char *where,
                                                    const char *what, ...);

/* Like error_set, with ": " and strerror(errnum) behind what. */
__attribute__((format(printf, 5, 6))) int error_set_errno(struct error *err, int code, int errnum,
                                                          const char *where, const char *what, ...);

/* Adds the cure to an error that is set.  Returns err->code, or ERROR_INPUT if err is NULL: never
 * success. */
__attribute__((format(printf, 2, 3))) int error_cure(struct error *err, const char *cure, ...);

/* Puts where in front: "flows[3]" + "duration" -> "flows[3].duration" is the caller's text. */
__attribute__((format(printf, 2, 3))) void error_where(struct error *err, const char *where, ...);

/* "where: what (cure)" in out, cut to size; returns out. */
char *error_text(const struct error *err, char *out, size_t size);

/* Several problems as a text, a line each; "" at first. */
#define PROBLEMS_MAX 1024

/* Appends error_text() as a line; one that does not fit is left out whole, the first is cut. */
void error_add_line(char lines[PROBLEMS_MAX], const struct error *err);

/* All the problems of an input, in order.  Zero-initialised is empty. */
struct error_list {
    struct error *items;
    size_t count, room; /* of items: that are, and that there is memory for */
};

/* Appends a copy.  Out of memory drops it silently, but count never falls. */
void error_list_add(struct error_list *list, const struct error *err);
/* Makes one of those that differ in `where` alone: it names the first of their places, and how many
 * more there are.  Leaves out one whose whole text ("agent a: it hangs") is `what` others say,
 * with the same cure or the cure in it. */
void error_list_merge(struct error_list *list);
void error_list_fini(struct error_list *list);

#endif
