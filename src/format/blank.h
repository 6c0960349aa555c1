/* Characters of Unicode that look like a blank, or like nothing, and are neither to JSON nor in
 * names: they come along when a text is copied from a web page or a document. */
#ifndef FORMAT_BLANK_H
#define FORMAT_BLANK_H

#include <stddef.h>

struct blank {
    size_t size;      /* of its bytes; 0: there is none */
    unsigned code;    /* U+00A0 */
    const char *name; /* "a no-break blank" */
};

/* The one that the bytes begin with. */
struct blank blank_at(const char *text, size_t size);

/* Where the first one is; NULL: there is none. */
const char *blank_find(const char *text, size_t size);

#endif
