#include "format/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid character at text, or 0 (RFC 3629, section 4). */
static size_t character(const uint8_t *text)
{
    uint8_t lead = text[0], low = 0x80, high = 0xbf; /* of the second byte */
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed) /* surrogates */
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

void utf8_repair(char *text)
{
    while (*text) {
        size_t length = character((const uint8_t *)text);
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
