#include "format/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

void utf8_repair(char *text)
{
    while (*text) {
        uint32_t code;
        const size_t length = text_character(text, strnlen(text, 4), &code);
        if (length == 0)
            *text = '?';
        text += length ? length : 1;
    }
}

void utf8_copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
    utf8_repair(out);
}

char *utf8_text(const char *text, bool *failed)
{
    char *copy = strdup(text ? text : "");
    if (copy)
        utf8_repair(copy);
    else
        *failed = true;
    return copy;
}
